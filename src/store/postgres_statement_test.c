/* postgres_statement_test.c - every statement has a text, and neither they nor the schema's steps put code on the
 * server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "store/migrate.h"
#include "store/postgres.h"
#include "store/postgres_statement.h"
#include "store/testkit.h"

extern const struct tg_schema tg_schema_postgres;

static bool is_letter(char one)
{
    return isalnum((unsigned char)one) != 0 || one == '_';
}

/* As a word of its own, in either case. */
static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = text; *at != '\0'; at++)
        if (strncasecmp(at, word, len) == 0 && (at == text || !is_letter(at[-1])) && !is_letter(at[len]))
            return true;
    return false;
}

/* Words by which code comes to be on a server, or is run there. */
static const char *const code[] = {"FUNCTION", "TRIGGER", "EXTENSION", "PROCEDURE", "ROUTINE", "LANGUAGE", "RULE",
                                   "CALL",     "PERFORM", "EXECUTE",   "OPERATOR",  "CAST",    "COPY",     "LOAD"};
#define CODE_WORDS (sizeof(code) / sizeof(code[0]))

static void test_words(void **state)
{
    (void)state;
    assert_true(has_word("create function x()", "FUNCTION"));
    assert_true(has_word("DO $$ BEGIN END $$", "DO"));
    assert_false(has_word("CREATE TABLE domain (functions int)", "DO"));
    assert_false(has_word("CREATE TABLE domain (functions int)", "FUNCTION"));
}

static void test_schema_steps(void **state)
{
    (void)state;
    assert_true(tg_schema_postgres.version > 0);
    for (int step = 0; step < tg_schema_postgres.version; step++) {
        const char *text = tg_schema_postgres.steps[step];
        assert_true(has_word(text, "tollgate_state")); /* it writes its number there */
        assert_false(has_word(text, "DO"));
        for (size_t i = 0; i < CODE_WORDS; i++)
            assert_false(has_word(text, code[i]));
    }
}

static void test_texts(void **state)
{
    (void)state;
    for (int i = 0; i < TG_PG_STATEMENTS; i++) {
        const char *text = tg_pg_statement_text((enum tg_pg_statement)i);
        assert_non_null(text);
        assert_null(strstr(text, "CREATE"));
        for (size_t word = 0; word < CODE_WORDS; word++)
            assert_false(has_word(text, code[word]));
        assert_false(strncasecmp(text, "DO ", 3) == 0);
        assert_null(strstr(text, "$17")); /* TG_PG_PARAMETERS_MAX */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_schema_steps),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
