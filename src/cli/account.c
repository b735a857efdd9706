/*
 * account.c - see account.h.
 */
#include "cli/account.h"

#include "cli/command.h"
#include "cli/program.h"

#include <pwd.h>
#include <unistd.h>

static enum tg_err account_ensure(const char *name)
{
    struct tg_program_line line;
    uint8_t output[1024];
    struct tg_buf said = tg_buf(output, sizeof(output));

    if (getpwnam(name) != NULL) {
        return TG_OK;
    }
    if (tg_program_begin(&line, "useradd") != TG_OK) {
        return TG_ERR_ABSENT;
    }
    tg_program_word(&line, "--system");
    tg_program_word(&line, "--user-group");
    tg_program_word(&line, "--no-create-home");
    tg_program_pair(&line, "--home-dir", "/nonexistent");
    tg_program_pair(&line, "--shell", "/usr/sbin/nologin");
    tg_program_word(&line, name);
    if (tg_program_run(&line, &said) != 0 && getpwnam(name) == NULL) {
        tg_complain("the system user %s could not be made: %.*s", name, (int)said.len, (const char *)said.ptr);
        return TG_ERR_DENIED;
    }
    return TG_OK;
}

static enum tg_err account_needed(const char *name)
{
    if (getpwnam(name) == NULL) {
        tg_complain("the system user %s is missing: install Debian's nginx and base-passwd", name);
        return TG_ERR_ABSENT;
    }
    return TG_OK;
}

enum tg_err tg_account_make(struct tg_instance *instance)
{
    enum tg_err err;

    instance->separated = geteuid() == 0;
    if (!instance->separated) {
        return TG_OK;
    }
    err = account_ensure(TG_ACCOUNT_KEEPER);
    if (err == TG_OK) {
        err = account_ensure(TG_ACCOUNT_SEALER);
    }
    if (err == TG_OK) {
        err = account_needed(TG_ACCOUNT_GATE);
    }
    if (err == TG_OK) {
        err = account_needed(TG_ACCOUNT_SANDBOX);
    }
    (void)snprintf(instance->keeper_user, sizeof(instance->keeper_user), "%s", TG_ACCOUNT_KEEPER);
    (void)snprintf(instance->sealer_user, sizeof(instance->sealer_user), "%s", TG_ACCOUNT_SEALER);
    (void)snprintf(instance->gate_user, sizeof(instance->gate_user), "%s", TG_ACCOUNT_GATE);
    (void)snprintf(instance->sandbox_user, sizeof(instance->sandbox_user), "%s", TG_ACCOUNT_SANDBOX);
    return err;
}
