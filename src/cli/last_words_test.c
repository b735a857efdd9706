/*
 * last_words_test.c - the newest lines of one process, in order, in plain text.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cli/last_words.h"

static const char *found(const char *log, pid_t pid)
{
    static char text[2000];
    struct tg_buf out = tg_buf(text, sizeof(text) - 1);
    tg_last_words_find(tg_span_string(log), pid, &out);
    text[out.len] = '\0';
    return text;
}

static void test_lines(void **state)
{
    (void)state;
    static const char log[] = "cut\":\"in the middle\",\"pid\":7}\n"
                              "{\"event\":\"ready\",\"pid\":7,\"text\":\"serving\"}\n"
                              "{\"event\":\"store\",\"pid\":7,\"text\":\"no role \\\"x\\\"\"}\n"
                              "{\"event\":\"other\",\"pid\":8,\"text\":\"not ours\"}\n"
                              "{\"event\":\"not_opened\",\"pid\":7,\"error\":\"down\"}\n"
                              "{\"event\":\"silent\",\"pid\":7,\"text\":\"\"}\n"
                              "no JSON\n"
                              "{\"event\":\"last\",\"pid\":7,\"text\":\"\",\"error\":\"a\\u001b[2Jb\\nc\\u009bd\"}\n";
    assert_string_equal(found(log, 7), "store: no role \"x\"\nnot_opened: down\nlast: a?[2Jb?c??d\n");
    assert_string_equal(found(log, 8), "other: not ours\n");
    assert_string_equal(found(log, 9), "");
    assert_string_equal(found("", 7), "");
    assert_string_equal(found("\n\n", 7), "");
    assert_string_equal(found("{\"event\":\"a\",\"pid\":7,\"text\":\"no end of line\"}", 7), "a: no end of line\n");
}

static void test_a_long_one_is_cut(void **state)
{
    (void)state;
    char log[1000] = "{\"event\":\"a\",\"pid\":7,\"text\":\"";
    size_t len = strlen(log);
    memset(log + len, 'x', 600);
    memcpy(log + len + 600, "\"}\n", 4);
    const char *said = found(log, 7);
    assert_true(strncmp(said, "a: xxx", 6) == 0 && strlen(said) == 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_a_long_one_is_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
