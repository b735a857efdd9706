/*
 * profile_file.c - a profile named in the configuration: found, read and parsed once, into the cycle's memory.
 *
 * NAME stands for PREFIX/profiles/NAME.json; anything with a slash or ending in .json is a file, relative to the
 * configuration's folder. A fault ends `nginx -t` with file, line and cause.
 */
#include "gate/steps.h"

#include "base/banned.h"

/* A profile is a page or two of text; this is far above any. */
#define TG_PROFILE_BYTES_MAX (256u * 1024u)

/* The parsed form: one struct of some 16 KB and spans into copies; the JSON tree stands beside it while it is read. */
#define TG_PROFILE_ARENA_BYTES(text) (128u * 1024u + 32u * (text))

static bool tg_profile_is_file(const ngx_str_t *name)
{
    struct tg_span span = tg_gate_span(*name);
    struct tg_span suffix = TG_SPAN(".json");

    return tg_span_find(span, '/') < span.len ||
           (span.len > suffix.len && tg_span_equal(tg_span_sub(span, span.len - suffix.len, suffix.len), suffix));
}

static ngx_int_t tg_profile_path(ngx_conf_t *cf, const ngx_str_t *name, ngx_str_t *ret)
{
    bool file = tg_profile_is_file(name);
    const char *format = file ? "%V%Z" : "profiles/%V.json%Z";

    ret->data = ngx_pnalloc(cf->pool, name->len + sizeof("profiles/.json"));
    if (ret->data == NULL) {
        return NGX_ERROR;
    }
    ret->len = (size_t)(ngx_sprintf(ret->data, format, name) - ret->data) - 1;
    return ngx_conf_full_name(cf->cycle, ret, file ? 1 : 0);
}

static ngx_int_t tg_profile_slurp(ngx_conf_t *cf, const ngx_str_t *path, struct tg_span *ret)
{
    ngx_file_t file;
    ngx_file_info_t info;
    ngx_int_t rc = NGX_ERROR;
    u_char *text = NULL;
    ssize_t n = -1;

    ngx_memzero(&file, sizeof(file));
    file.name = *path;
    file.log = cf->log;
    file.fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "tollgate: cannot open profile \"%V\"", path);
        return NGX_ERROR;
    }
    if (ngx_fd_info(file.fd, &info) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "tollgate: cannot look at profile \"%V\"", path);
    } else if (ngx_file_size(&info) > (off_t)TG_PROFILE_BYTES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "tollgate: profile \"%V\" is larger than %uz bytes", path,
                           (size_t)TG_PROFILE_BYTES_MAX);
    } else {
        text = ngx_pnalloc(cf->pool, (size_t)ngx_file_size(&info) + 1);
        n = text == NULL ? -1 : ngx_read_file(&file, text, (size_t)ngx_file_size(&info), 0);
        if (n == ngx_file_size(&info)) {
            *ret = tg_span(text, (size_t)n);
            rc = NGX_OK;
        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "tollgate: cannot read profile \"%V\"", path);
        }
    }
    (void)ngx_close_file(file.fd);
    return rc;
}

static ngx_uint_t tg_profile_line(struct tg_span text, size_t offset)
{
    ngx_uint_t line = 1;

    for (size_t i = 0; i < text.len && i < offset; i++) {
        line += text.ptr[i] == '\n';
    }
    return line;
}

static const struct tg_profile *tg_profile_read(ngx_conf_t *cf, const ngx_str_t *path)
{
    const struct tg_profile *profile = NULL;
    struct tg_profile_error why;
    struct tg_arena arena;
    struct tg_span text;
    void *memory;

    if (tg_profile_slurp(cf, path, &text) != NGX_OK) {
        return NULL;
    }
    memory = ngx_palloc(cf->pool, TG_PROFILE_ARENA_BYTES(text.len));
    if (memory == NULL) {
        return NULL;
    }
    arena = tg_arena(memory, TG_PROFILE_ARENA_BYTES(text.len));
    ngx_memzero(&why, sizeof(why));
    if (tg_profile_parse(text, &arena, &profile, &why) != TG_OK) {
        why.text[sizeof(why.text) - 1] = '\0';
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "tollgate: profile \"%V\" line %ui: %s", path,
                           tg_profile_line(text, why.offset), why.text);
        return NULL;
    }
    return profile;
}

const struct tg_profile *tg_gate_profile_load(ngx_conf_t *cf, ngx_str_t *name)
{
    struct tg_gate_main_conf *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_tollgate_module);
    struct tg_gate_profile *known = main->profiles.elts;
    struct tg_gate_profile *fresh;
    const struct tg_profile *profile;
    ngx_str_t path;

    if (name->len == 0 || tg_profile_path(cf, name, &path) != NGX_OK) {
        return NULL;
    }
    for (ngx_uint_t i = 0; i < main->profiles.nelts; i++) {
        if (tg_span_equal(tg_gate_span(known[i].path), tg_gate_span(path))) {
            return known[i].profile;
        }
    }
    profile = tg_profile_read(cf, &path);
    fresh = profile == NULL ? NULL : ngx_array_push(&main->profiles);
    if (fresh == NULL) {
        return NULL;
    }
    fresh->path = path;
    fresh->profile = profile;
    return profile;
}
