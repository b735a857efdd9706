/*
 * question_test.c - the queue keeps its order, also when something is taken out of its middle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keeper/question.h"

static struct tg_question *numbered(uint32_t number)
{
    struct tg_question *question = tg_question_make(TG_QUESTION_LOST, tg_span(&number, sizeof(number)));
    assert_non_null(question);
    question->turn = number;
    return question;
}

static void expect(struct tg_question_queue *queue, const uint32_t *numbers, size_t count)
{
    assert_int_equal(queue->count, count);
    for (size_t i = 0; i < count; i++) {
        struct tg_question *question = tg_question_take(queue, &queue->head);
        assert_int_equal(question->turn, numbers[i]);
        tg_question_free(question);
    }
    assert_null(queue->head);
}

static void first_in_first_out(void **state)
{
    (void)state;
    struct tg_question_queue queue = {0};
    for (uint32_t i = 0; i < 4; i++) {
        tg_question_push(&queue, numbered(i));
    }
    expect(&queue, (const uint32_t[]){0, 1, 2, 3}, 4);
    tg_question_push(&queue, numbered(9));
    expect(&queue, (const uint32_t[]){9}, 1);
}

static void taken_from_the_middle_and_the_end(void **state)
{
    (void)state;
    struct tg_question_queue queue = {0};
    for (uint32_t i = 0; i < 4; i++) {
        tg_question_push(&queue, numbered(i));
    }
    struct tg_question **at = &queue.head->next;
    tg_question_free(tg_question_take(&queue, at));
    at = &(*at)->next;
    tg_question_free(tg_question_take(&queue, at));
    tg_question_push(&queue, numbered(4));
    expect(&queue, (const uint32_t[]){0, 2, 4}, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out),
        cmocka_unit_test(taken_from_the_middle_and_the_end),
    };
    return cmocka_run_group_tests_name("question", tests, NULL, NULL);
}
