/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reports as brine and as JSON.
 */
#include "reports.h"

#include "brine.h"
#include "codec.h"
#include "json.h"
#include "schema.h"

/* Writes a struct with a value of its own in each member, down to a depth. */
static void fill(struct arena *a, const struct schema *schema, void *base, int *next, int depth);

static void fill_list(struct arena *a, const struct field *f, void *at, int *next, int depth)
{
    struct any_list list = {.count = 2};
    struct report_pair *pairs;

    switch (f->kind) {
    case FIELD_TEXTS:
        list.items = arena_array(a, 2, sizeof(struct report_text));
        ((struct report_text *)list.items)[0] = literal("one");
        break;
    case FIELD_INTS:
        list.items = arena_array(a, 2, sizeof(int64_t));
        ((int64_t *)list.items)[1] = (*next)++;
        break;
    case FIELD_MAP:
        list.items = pairs = arena_array(a, 2, sizeof(*pairs));
        pairs[0] = (struct report_pair){literal("rank"), literal("17")};
        pairs[1] = (struct report_pair){literal("more"), {NULL, 0}};
        break;
    default:
        list.items = schema_make(a, f->of, 2);
        fill(a, f->of, list.items, next, depth - 1); /* the second stays unknown */
    }
    memcpy(at, &list, sizeof(list));
}

static void fill_member(struct arena *a, const struct field *f, void *at, int *next, int depth)
{
    static const char odd[] =
        "n\0ul \n \x1b[1m \xc3\xa9 \"\\/ \x7f \xc2\x9b \xe2\x80\xae \xf0\x9f\x90\x8d";
    void *item;

    switch (f->kind) {
    case FIELD_TEXT:
        *(struct report_text *)at = (struct report_text){odd, sizeof(odd) - 1};
        return;
    case FIELD_INT:
        *(int64_t *)at = INT64_MAX - (*next)++;
        return;
    case FIELD_FLOAT:
        *(double *)at = 0.1 + (*next)++;
        return;
    case FIELD_ENUM:
        *(int *)at = 1;
        return;
    case FIELD_BOOL:
        *(int *)at = (*next)++ % 2 ? BOOL_TRUE : BOOL_FALSE;
        return;
    case FIELD_STRUCT:
        item = schema_make(a, f->of, 1);
        fill(a, f->of, item, next, depth - 1);
        memcpy(at, &item, sizeof(item));
        return;
    default:
        fill_list(a, f, at, next, depth);
    }
}

static void fill(struct arena *a, const struct schema *schema, void *base, int *next, int depth)
{
    const struct field *f;

    for (f = schema->fields; depth > 0 && f < schema->fields + schema->count; f++)
        fill_member(a, f, field_at(f, base), next, depth);
}

/* A report of one process in which every member is known. */
static struct report_process *full(struct report *r)
{
    struct report_process *process = report_add_process(r);
    int next = 0;

    fill(&r->arena, &schema_process, process, &next, 6);
    return process;
}

TEST(a_new_process_is_unknown_in_every_member)
{
    AUTO_REPORT r;
    struct report_process *p;

    report_init(&r, 0);
    p = report_add_process(&r);
    assert_true(p->pid == REPORT_UNKNOWN);
    assert_true(isnan(p->time));
    assert_null(p->threads.items);
    assert_null(p->gil);
    assert_int_equal(p->source, 0);
    assert_int_equal(r.processes.count, 1);
}

TEST(every_member_comes_back_from_brine)
{
    AUTO_REPORT r, copy;
    AUTO_BUFFER first = BUFFER_INIT, second = BUFFER_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct report_process *read;

    report_init(&r, 0);
    report_init(&copy, 0);
    report_write(&first, full(&r));
    assert_false(first.failed);
    read = report_read(&copy, first.data, first.len, &err);
    assert_non_null(read);
    assert_int_equal(read->threads.items[0].frames.count, 2);
    report_write(&second, read);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
}

TEST(every_member_comes_back_from_json)
{
    AUTO_REPORT r, copy;
    AUTO_BUFFER first = BUFFER_INIT, second = BUFFER_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    report_init(&r, 0);
    report_init(&copy, 0);
    report_write_json(&first, full(&r));
    assert_false(first.failed);
    assert_ok(report_read_json(&copy, (char *)first.data, first.len, &err), &err);
    assert_int_equal(copy.processes.count, 1);
    report_write_json(&second, &copy.processes.items[0]);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
}

TEST(json_is_printable_ascii)
{
    AUTO_REPORT r;
    AUTO_BUFFER text = BUFFER_INIT;
    size_t i;

    report_init(&r, 0);
    report_write_json(&text, full(&r));
    for (i = 0; i < text.len; i++)
        assert_true((text.data[i] >= ' ' && text.data[i] < 0x7f) || text.data[i] == '\n');
    assert_int_equal(text.data[text.len - 1], '\n');
}

TEST(several_processes_are_one_document)
{
    AUTO_REPORT r, copy;
    AUTO_BUFFER text = BUFFER_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    report_init(&r, 0);
    report_init(&copy, 0);
    r.schema = REPORT_SCHEMA;
    full(&r);
    report_add_process(&r)->pid = 4711;
    report_write_json_all(&text, &r);
    assert_ok(report_read_json(&copy, (char *)text.data, text.len, &err), &err);
    assert_int_equal(copy.processes.count, 2);
    assert_int_equal(copy.processes.items[1].pid, 4711);
    assert_int_equal(copy.schema, REPORT_SCHEMA);
}

TEST(an_unknown_list_is_not_an_empty_one)
{
    AUTO_REPORT r, copy;
    AUTO_BUFFER b = BUFFER_INIT;
    struct report_process *p;

    report_init(&r, 0);
    report_init(&copy, 0);
    p = report_add_process(&r);
    p->greenlets.items = schema_make(&r.arena, &schema_process, 0);
    assert_non_null(p->greenlets.items);
    report_write(&b, p);
    p = report_read(&copy, b.data, b.len, NULL);
    assert_non_null(p);
    assert_non_null(p->greenlets.items);
    assert_int_equal(p->greenlets.count, 0);
    assert_null(p->threads.items);
}

TEST(a_shorter_tuple_leaves_the_rest_unknown)
{
    AUTO_REPORT r;
    AUTO_BUFFER b = BUFFER_INIT;
    struct report_process *p;

    report_init(&r, 0);
    brine_put_tuple(&b, 2);
    brine_put_int(&b, 2);
    brine_put_float(&b, 1.5);
    p = report_read(&r, b.data, b.len, NULL);
    assert_non_null(p);
    assert_int_equal(p->schema, 2);
    assert_true(p->pid == REPORT_UNKNOWN);
}

TEST(members_of_a_newer_writer_are_passed_over)
{
    AUTO_REPORT r;
    AUTO_BUFFER b = BUFFER_INIT;
    size_t i;

    report_init(&r, 0);
    brine_put_tuple(&b, schema_process.count + 2);
    for (i = 0; i < schema_process.count; i++)
        brine_put_none(&b);
    brine_put_tuple(&b, 1);
    brine_put_bytes(&b, "new", 3);
    brine_put_complex(&b, 1, 2);
    assert_non_null(report_read(&r, b.data, b.len, NULL));
}

TEST(a_word_that_is_not_known_is_unknown)
{
    AUTO_REPORT r;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    static const char text[] = "{\"source\": \"telepathy\", \"pid\": 3, \"new\": [{}]}";

    report_init(&r, 0);
    assert_ok(report_read_json(&r, text, strlen(text), &err), &err);
    assert_int_equal(r.processes.items[0].source, 0);
    assert_int_equal(r.processes.items[0].pid, 3);
}

TEST(a_member_of_the_wrong_type_is_named)
{
    static const char bad[] = "{\"threads\": [{\"frames\": [{\"line\": \"12\"}]}]}";
    AUTO_REPORT r;
    AUTO_BUFFER b = BUFFER_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    report_init(&r, 0);
    brine_put_tuple(&b, 3);
    brine_put_int(&b, 2);
    brine_put_float(&b, 1.5);
    brine_put_int(&b, 7);
    assert_null(report_read(&r, b.data, b.len, &err));
    assert_error(&err, RPYC_EPROTOCOL, "process.tool is not a str");
    assert_int_equal(r.processes.count, 0);
    assert_int_equal(report_read_json(&r, bad, strlen(bad), &err), -1);
    assert_error(&err, RPYC_EPROTOCOL, "frame.line has the wrong type");
}

TEST(what_is_not_a_report_is_refused)
{
    static const char *const texts[] = {
        "", "{", "[1, 2]", "null", "nope", "{\"a\": 1,", "{\"a\": 1} more", "{\"name\": \"\xff\"}"};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_REPORT r;
    size_t i;

    report_init(&r, 0);
    for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (report_read_json(&r, texts[i], strlen(texts[i]), &err) != -1)
            fail_msg("taken for a report: %s", texts[i]);
        assert_int_equal(err.code, RPYC_EPROTOCOL);
        report_free(&r);
    }
    assert_null(report_read(&r, "\x02\x02", 2, &err)); /* bytes after the value */
    assert_int_equal(err.code, RPYC_EPROTOCOL);
    assert_null(report_read(&r, "\x08\x0b\x00\xff\xff", 5, &err));
    assert_error(&err, RPYC_EPROTOCOL, "process is not a tuple");
}

/* A short message may describe many structs, each of which takes some hundred bytes. */
TEST(a_report_takes_no_more_memory_than_it_may)
{
    AUTO_REPORT r;
    AUTO_BUFFER b = BUFFER_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    size_t i;

    report_init(&r, (size_t)1 << 20);
    brine_put_tuple(&b, 18);
    for (i = 0; i < 17; i++)
        brine_put_none(&b);
    brine_put_tuple(&b, 100000);
    for (i = 0; i < 100000; i++)
        brine_put_tuple(&b, 0);
    assert_null(report_read(&r, b.data, b.len, &err));
    assert_error(&err, RPYC_ELIMIT, "1048576 bytes");
}

TEST(each_word_of_an_enum_is_read_as_its_value)
{
    const struct field *f;
    int value;

    for (f = schema_process.fields; strcmp(f->name, "source") != 0; f++)
        ;
    for (value = SOURCE_SERVER; value <= SOURCE_NETREFS; value++)
        assert_int_equal(field_value(f, field_word(f, value), strlen(field_word(f, value))), value);
    assert_string_equal(field_word(f, SOURCE_NETREFS), "netrefs");
    assert_null(field_word(f, SOURCE_NETREFS + 1));
    assert_null(field_word(f, 0));
    assert_int_equal(field_value(f, "", 0), 0);
}

TEST(a_text_is_copied)
{
    AUTO_REPORT r;
    char text[] = "abc";
    struct report_text copy;

    report_init(&r, 0);
    copy = report_text(&r, text, 3);
    text[0] = 'x';
    assert_true(is_text(copy, "abc"));
    assert_null(report_text(&r, NULL, 0).data);
    assert_non_null(report_text(&r, "", 0).data);
}

TEST(bytes_that_are_not_utf8_become_escapes)
{
    AUTO_REPORT r;
    struct report_text text;

    report_init(&r, 0);
    text = report_text_of_bytes(&r, "\xff\xffz\xc3\xa9\xc3", 6);
    assert_int_equal(text.len, 6 + 6 + 1 + 2 + 6);
    assert_memory_equal(text.data, "\\udcff\\udcffz\xc3\xa9\\udcc3", text.len);
}

TEST(the_processes_of_another_report_are_taken_with_what_they_point_to)
{
    AUTO_REPORT to, from;
    char large[40000]; /* needs a chunk of its own in an arena */
    int i;

    memset(large, 'x', sizeof(large));
    report_init(&to, 1 << 20);
    for (i = 0; i < 3; i++) {
        report_init(&from, 1 << 20);
        report_add_process(&from)->host = report_text(&from, large, sizeof(large));
        report_add_process(&from)->pid = i;
        assert_true(report_take_processes(&to, &from));
        assert_int_equal(from.processes.count, 0);
        assert_null(from.arena.chunks);
    }
    assert_int_equal(to.processes.count, 6);
    for (i = 0; i < 3; i++) {
        assert_memory_equal(to.processes.items[2 * i].host.data, large, sizeof(large));
        assert_int_equal(to.processes.items[2 * i + 1].pid, i);
    }
    assert_true(to.arena.taken >= 3 * sizeof(large));
    to.arena.max = to.arena.taken - 1; /* arena_take may exceed the limit */
    to.arena.free = 0;
    report_init(&from, 1 << 20);
    assert_non_null(report_add_process(&from));
    assert_false(report_take_processes(&to, &from));
    assert_int_equal(to.processes.count, 6);
    report_free(&from);
}
