/*
 * layout.c - finds modules by name and slots by directive (layout.h).
 */
#include "gate/layout.h"

#include "base/banned.h"

const ngx_module_t *tg_layout_module(const ngx_cycle_t *cycle, const char *name)
{
    for (ngx_uint_t i = 0; cycle->modules[i] != NULL; i++) {
        if (ngx_strcmp(cycle->modules[i]->name, name) == 0) {
            return cycle->modules[i];
        }
    }
    return NULL;
}

void *tg_layout_loc_conf(const ngx_cycle_t *cycle, void **loc_conf, const char *module)
{
    const ngx_module_t *found = tg_layout_module(cycle, module);

    return found == NULL ? NULL : loc_conf[found->ctx_index];
}

void *tg_layout_slot(const ngx_cycle_t *cycle, void **loc_conf, const char *module, const char *directive)
{
    const ngx_module_t *found = tg_layout_module(cycle, module);

    if (found == NULL || found->commands == NULL || loc_conf[found->ctx_index] == NULL) {
        return NULL;
    }
    for (const ngx_command_t *command = found->commands; command->name.len > 0; command++) {
        if (ngx_strcmp(command->name.data, directive) == 0) {
            return (u_char *)loc_conf[found->ctx_index] + command->offset;
        }
    }
    return NULL;
}
