/*
 * profile_match.c - which operation a method and a path name.
 *
 * Promises: as profile.h; the result does not depend on the order of the profile.
 * Does not: parse profiles.
 */
#include "core/payment/profile.h"

#include "core/http/template.h"

#include "base/banned.h"

const struct tg_operation *tg_profile_match(const struct tg_profile *profile, struct tg_span method,
                                            struct tg_span path, bool *path_known)
{
    *path_known = false;
    if (!tg_path_ok(path)) {
        return NULL;
    }
    const struct tg_operation *best = NULL;
    for (size_t i = 0; i < profile->operation_count; i++) {
        const struct tg_operation *operation = &profile->operations[i];
        if (!tg_template_matches(operation->path, path)) {
            continue;
        }
        *path_known = true;
        if (tg_span_equal(operation->method, method) &&
            (best == NULL || tg_template_compare(operation->path, best->path) < 0)) {
            best = operation;
        }
    }
    return best;
}
