/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/complete_cells.h"

#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "eval/sent_module.h"
#include "eval/wait.h"
#include "interrupt.h"
#include "procfs/clock.h"

/* PATIENCE_MS: how long Tab waits for candidates, in ms. PATIENCE_EACH_MS: the time limit of each
 * request with which the client sends the source of completion.py, in ms. */
#define PATIENCE_MS      1000
#define PATIENCE_EACH_MS 400

#define HELPER_NAME "_pystuck_completion"

static const char completion[] = SENT_MODULE_BEGIN(HELPER_NAME)
#include "prompt/completion.inc"
    SENT_MODULE_END;

static const struct cell_helper helper = {completion, HELPER_NAME, NULL};

static bool goes_on(void *arg)
{
    const int64_t *deadline = arg;

    return !interrupt_is_pending() && clock_ms() < *deadline;
}

/* Calls completion.py. Drops an answer that comes too late. */
static int ask(const struct complete_cells *c, const char *text, const char *rest,
               rpyc_value **answer, struct rpyc_error *err)
{
    rpyc_value *complete = cells_helper(c->cells, &helper, err);
    int64_t deadline = clock_ms() + PATIENCE_MS;
    rpyc_pending *pending;
    int status;

    if (!complete || rpyc_start_call(complete, &pending, err, "ss", text, rest) < 0)
        return -1;
    status = wait_for_reply(pending, goes_on, &deadline, answer, err);
    rpyc_pending_free(pending);
    return status;
}

/* Adds the candidates in an answer of completion.py to *out. The answer is a tuple: number of typed
 * characters, common prefix, ending, number of candidates, the first candidates. */
static void read_answer(struct completions *out, rpyc_value *answer)
{
    rpyc_value *names = rpyc_item(answer, 4);
    const char *common = rpyc_str(rpyc_item(answer, 1), NULL);
    const char *ending = rpyc_str(rpyc_item(answer, 2), NULL);
    int64_t typed, total;
    size_t i;

    if (!common || !ending || rpyc_int64(rpyc_item(answer, 0), &typed, NULL) < 0 || typed < 0 ||
        rpyc_int64(rpyc_item(answer, 3), &total, NULL) < 0 || total < 0)
        return;
    for (i = 0; i < rpyc_length(names); i++)
        if (rpyc_str(rpyc_item(names, i), NULL))
            completions_add(out, rpyc_str(rpyc_item(names, i), NULL));
    completions_finish(out, (size_t)typed, common, ending, (size_t)total);
}

int complete_cells_find(const void *arg, const char *text, const char *rest,
                        struct completions *out, struct rpyc_error *err)
{
    const struct complete_cells *c = arg;
    struct rpyc_error why = RPYC_ERROR_INIT;
    CLEAN_VALUE rpyc_value *answer = NULL;
    int timeout = rpyc_timeout(c->conn), status;

    rpyc_set_timeout(c->conn, PATIENCE_EACH_MS);
    status = ask(c, text, rest, &answer, &why);
    rpyc_set_timeout(c->conn, timeout);
    if (status == 0) {
        read_answer(out, answer);
        return 0;
    }
    interrupt_take();
    if (rpyc_error_is_fatal(&why)) {
        *err = why;
        return -1;
    }
    rpyc_error_clear(&why);
    return 0;
}
