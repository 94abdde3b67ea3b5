/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The stack reader on the image of a Python process (image.h) whose bytes the input changes, and
 * what the client makes of the answer: conclusions, text and JSON.
 *
 * Input: a byte, whose bits say how the CPU clocks of threads run, how the GIL was held, and
 * whether the reader keeps the pages that it has read; then changes, of 8 bytes each. FUZZ_IMAGE
 * names the file of the image.
 */
#include "fuzz_stackreader.h"

#include "fuzz.h"

#include "codec.h"
#include "diagnosis/diagnose.h"
#include "image.h"
#include "json.h"
#include "linetable.h"
#include "merge.h"
#include "objects.h"
#include "schema.h"
#include "stackreader.h"
#include "stacks/print.h"

#define CHANGES_MAX 64
#define READS_MAX   4000000 /* how often one answer may read the memory */
#define MEMORY      ((size_t)16 << 20)

#define EXPECTED_MAX 10000
#define STATES_MAX   8

struct reader_figures reader_figures;

/* ---- What the image holds -------------------------------------------------------------------- */

static struct memory plain;

static bool read_here(uint64_t address, void *to, size_t size)
{
    return plain.read(&plain, &(struct memory_piece){address, to, size}, 1);
}

static uint64_t word(uint64_t address, int offset)
{
    uint64_t value;

    return read_here(address + (uint64_t)offset, &value, sizeof(value)) ? value : 0;
}

static bool is_ascii(const char *bytes, size_t len)
{
    size_t i;

    for (i = 0; i < len && !(bytes[i] & 0x80); i++)
        ;
    return i == len;
}

/* True if an ASCII str of the image is equal to a text. Other strs are not compared. */
static bool is_text(uint64_t str, struct report_text text)
{
    const struct offsets *o = image_offsets();
    uint64_t len = word(str, o->text.length);
    char bytes[TEXT_MAX];

    len = len < TEXT_MAX ? len : TEXT_MAX;
    if (len > 0 && !read_here(str + (uint64_t)o->text.ascii, bytes, len))
        return false;
    if (!((unsigned)word(str, o->text.state) >> 6 & 1) || !is_ascii(bytes, len))
        return true;
    return text.len == len && memcmp(bytes, text.data, len) == 0;
}

static int64_t line_of(uint64_t code, int64_t at)
{
    static unsigned char table[BYTES_MAX];
    const struct offsets *o = image_offsets();
    uint64_t lines = word(code, o->code.lines), size;
    int64_t line;

    if (!read_here(lines + (uint64_t)o->bytes.size, &size, sizeof(size)) || size > sizeof(table) ||
        (size > 0 && !read_here(lines + (uint64_t)o->bytes.data, table, size)))
        return REPORT_UNKNOWN;
    line = linetable_line(o->minor, table, size, (int)word(code, o->code.first_line), at);
    return line == LINE_UNKNOWN ? REPORT_UNKNOWN : line;
}

/* The offset in bytes of the current instruction of a frame in its code. */
static int64_t at_of(uint64_t frame, uint64_t code)
{
    const struct offsets *o = image_offsets();
    uint64_t at = word(frame, o->frame.at);

    if (o->minor >= 11)
        return (int64_t)(at - code - (uint64_t)o->code.instructions);
    return o->minor == 10 ? 2 * (int64_t)(int32_t)at : (int32_t)at;
}

static bool is_shown_here(uint64_t frame, uint64_t code)
{
    const struct offsets *o = image_offsets();
    unsigned owner;

    if (o->minor < 11)
        return true;
    owner = (unsigned char)word(frame, o->frame.owner);
    if (o->minor >= 12 && owner >= 3)
        return false;
    return owner == 1 ||
           at_of(frame, code) >= 2 * (int64_t)(int32_t)word(code, o->code.first_traceable);
}

/* The frames of a thread state that Python shows, the innermost first. */
struct expected {
    size_t count;
    struct {
        uint64_t code;
        int64_t at;
        bool found; /* the report has the same file, function and line */
    } frames[EXPECTED_MAX];
};

static void expect(struct expected *e, uint64_t state)
{
    const struct offsets *o = image_offsets();
    uint64_t frame = word(state, o->thread.frame), code;
    size_t steps = 0;

    e->count = 0;
    if (o->thread.frame_within >= 0)
        frame = word(frame, o->thread.frame_within);
    for (; frame && steps < EXPECTED_MAX; frame = word(frame, o->frame.previous), steps++) {
        code = word(frame, o->frame.code) & ~UINT64_C(7);
        if (!is_shown_here(frame, code))
            continue;
        e->frames[e->count].code = code;
        e->frames[e->count].found = false;
        e->frames[e->count++].at = at_of(frame, code);
    }
}

static void find_expected(struct expected *e, const report_frames *frames)
{
    const struct offsets *o = image_offsets();
    size_t i;

    for (i = 0; i < e->count && e->count == frames->count; i++) {
        const struct report_frame *f = &frames->items[frames->count - 1 - i];
        uint64_t code = e->frames[i].code;

        if (is_text(word(code, o->code.file), f->file) &&
            is_text(word(code, o->code.name), f->function) &&
            f->line == line_of(code, e->frames[i].at))
            e->frames[i].found = true;
    }
}

static bool all_found(const struct expected *e, const report_frames *frames)
{
    size_t i;

    for (i = 0; i < e->count && e->frames[i].found; i++)
        ;
    return i == e->count && i == frames->count;
}

/* Lists the thread states with this ident. Returns their number. */
static size_t find_states(int64_t ident, uint64_t *states, size_t room)
{
    const struct offsets *o = image_offsets();
    uint64_t interpreter = word(image_runtime(), o->runtime.interpreters), state;
    size_t count = 0;
    int i, j;

    for (i = 0; interpreter && i < 100; i++, interpreter = word(interpreter, o->interpreter.next)) {
        state = word(interpreter, o->interpreter.threads);
        for (j = 0; state && j < 1000; j++, state = word(state, o->thread.next)) {
            if ((int64_t)word(state, o->thread.ident) == ident && count < room)
                states[count++] = state;
        }
    }
    return count;
}

/* ---- The input ------------------------------------------------------------------------------- */

struct input {
    enum image_clock clock;
    int64_t at_least_ms;
    bool keeps_pages;
    struct image_change changes[CHANGES_MAX];
    size_t count, later; /* how many changes there are, and how many are not made at once */
};

static int compare_changes(const void *a, const void *b)
{
    return ((const struct image_change *)a)->when - ((const struct image_change *)b)->when;
}

static void parse(struct input *in, const uint8_t *data, size_t size)
{
    uint8_t first = size > 0 ? data[0] : 0;
    size_t i;

    *in = (struct input){.clock = first % 3,
                         .at_least_ms = first & 64 ? 100 : REPORT_UNKNOWN,
                         .keeps_pages = first & 128};
    for (i = 1; size - i >= 8 && size > i && in->count < CHANGES_MAX; i += 8)
        memcpy(&in->changes[in->count++], data + i, 8);
    qsort(in->changes, in->count, sizeof(*in->changes), compare_changes);
    for (i = 0; i < in->count; i++)
        in->later += in->changes[i].when > 0;
    /* The stack of a thread that does not run does not change. */
    if (in->later > 0 && in->clock == CLOCK_STANDS)
        in->clock = CLOCK_RUNS;
}

/* Changes the image as it is after all changes that are due at once and `later` further ones. */
static void change(const struct input *in, size_t later)
{
    size_t i;

    image_restore();
    for (i = 0; i < in->count - in->later + later; i++)
        image_change(&in->changes[i]);
}

/* True if the image has a thread state with this ident and these frames, before or after a later
 * change. Strings and tables of lines, which never change in a process, may be those before or
 * after it. */
static bool is_in_image(const struct input *in, const struct report_thread *t)
{
    static struct expected expected;
    uint64_t states[STATES_MAX];
    size_t later, texts, count, i;

    for (later = 0; later <= in->later; later++) {
        change(in, later);
        count = find_states(t->ident, states, STATES_MAX);
        for (i = 0; i < count; i++) {
            change(in, later);
            expect(&expected, states[i]);
            for (texts = 0; texts <= in->later; texts++) {
                change(in, texts);
                find_expected(&expected, &t->frames);
            }
            if (all_found(&expected, &t->frames))
                return true;
        }
    }
    return false;
}

/* Checks the threads that are exact: their frames must be in the image. With several later changes
 * a value may have come back, so nothing is checked. */
static void check_exact(const struct input *in, const struct report_process *p)
{
    size_t i;

    for (i = 0; i < p->threads.count && in->later <= 1; i++) {
        if (p->threads.items[i].exact != BOOL_TRUE)
            continue;
        must(is_in_image(in, &p->threads.items[i]));
        reader_figures.proved++;
    }
}

/* ---- The client ------------------------------------------------------------------------------ */

/* Prints the process, and reads the JSON again. */
static void print(const struct report_process *p)
{
    _cleanup_(report_free) struct report r = {0};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_BUFFER json = BUFFER_INIT;
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    must(stream);
    stacks_print(stream, p, FORMAT_TEXT, false);
    stacks_print(stream, p, FORMAT_TEXT, true);
    stacks_print(stream, p, FORMAT_PLAIN, true);
    must(!ferror(stream) && fclose(stream) == 0);
    free(text);
    report_write_json(&json, p);
    must(!json.failed);
    report_init(&r, 0);
    must(report_read_json(&r, (const char *)json.data, json.len, &err) == 0);
}

/* Sends the process to a client, which draws its conclusions and prints them. */
static void deliver(const struct report_process *p)
{
    _cleanup_(report_free) struct report r = {0};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_BUFFER sent = BUFFER_INIT, again = BUFFER_INIT;
    struct report_process *received;

    report_write(&sent, p);
    must(!sent.failed);
    report_init(&r, STACKS_MEMORY_MAX);
    received = report_read(&r, sent.data, sent.len, &err);
    must(received);
    report_write(&again, received);
    must(!again.failed && again.len == sent.len && memcmp(again.data, sent.data, sent.len) == 0);
    must(diagnose(&r, received) && report_merge(&r, received));
    print(received);
}

static void count_threads(const struct report_process *p)
{
    size_t i;

    for (i = 0; i < p->threads.count; i++) {
        const struct report_thread *t = &p->threads.items[i];

        must((t->frames.items != NULL) == (t->exact != 0));
        reader_figures.exact += t->exact == BOOL_TRUE;
        reader_figures.moving += t->exact == BOOL_FALSE;
        reader_figures.unreadable += t->exact == 0;
    }
}

/* ---- A run ----------------------------------------------------------------------------------- */

static void start(void)
{
    const char *path = getenv("FUZZ_IMAGE");

    if (!path || !image_load(path)) {
        fprintf(stderr, "FUZZ_IMAGE must name an image\n");
        exit(1);
    }
    plain = image_memory(CLOCK_UNKNOWN);
}

static enum stackreader_result read_stacks(const struct memory *memory, struct arena *arena,
                                           struct report_process *p)
{
    static const struct stackreader_wish wish = {.locals = true};
    const char *why;
    struct stackreader *reader = stackreader_new(memory, image_offsets(), image_runtime(), &why);
    enum stackreader_result result;

    must(reader);
    result = stackreader_read(reader, arena, p, &wish);
    stackreader_free(reader);
    must(image_reads() <= READS_MAX);
    if (image_reads() > reader_figures.reads_max)
        reader_figures.reads_max = image_reads();
    return result;
}

/* Learns from an answer without changes what is read. All of it must be exact. */
static void learn(void)
{
    struct memory memory = image_memory(CLOCK_STANDS);
    struct arena arena = {.max = MEMORY};
    struct report_process p = {0};
    const struct input in = {0};

    image_learn();
    must(read_stacks(&memory, &arena, &p) == STACKREADER_ALL);
    count_threads(&p);
    must(reader_figures.exact > 0 && reader_figures.moving + reader_figures.unreadable == 0);
    check_exact(&in, &p);
    must(reader_figures.proved == p.threads.count);
    reader_figures = (struct reader_figures){0};
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {.max = MEMORY};
    struct report_process *p;
    enum stackreader_result result;
    struct memory memory;
    struct input in;

    if (!plain.read) {
        start();
        learn();
    }
    parse(&in, data, size);
    change(&in, 0);
    image_schedule(&in.changes[in.count - in.later], in.later);
    memory = image_memory(in.clock);
    memory.is_slow = in.keeps_pages;
    p = schema_make(&arena, &schema_process, 1);
    must(p);
    result = read_stacks(&memory, &arena, p);
    reader_figures.runs++;
    reader_figures.none += result == STACKREADER_NONE;
    reader_figures.cut += result == STACKREADER_CUT;
    count_threads(p);
    if (p->gil)
        p->gil->at_least_ms = in.at_least_ms;
    check_exact(&in, p);
    deliver(p);
    image_restore();
    arena_free(&arena);
    return 0;
}
