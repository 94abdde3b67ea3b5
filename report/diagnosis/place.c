/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/place.h"

#include <string.h>

#include "phrases.h"

static struct report_text without(struct report_text text, size_t start, size_t end)
{
    return (struct report_text){text.data + start, text.len - start - end};
}

/* Removes a first part like "python3.11/" or "python3.13t/" from the path. Returns false if the
 * path does not begin with such a part. */
static bool take_version(struct report_text *path)
{
    const char *slash = memchr(path->data, '/', path->len);
    size_t len = slash ? (size_t)(slash - path->data) : 0;

    if (!slash || !text_begins(*path, "python") || len <= strlen("python"))
        return false;
    if (strspn(path->data + strlen("python"), "0123456789.t") < len - strlen("python"))
        return false;
    *path = without(*path, len + 1, 0);
    return true;
}

/* Removes everything up to and including the last folder of installed packages, such as
 * "/site-packages/". Returns false if there is no such folder in the path. */
static bool take_packages(struct report_text *path)
{
    static const char *const folders[] = {"/site-packages/", "/dist-packages/"};
    size_t i, k, len;

    for (i = path->len; i > 0; i--) {
        for (k = 0; k < 2; k++) {
            len = strlen(folders[k]);
            if (path->len - (i - 1) > len && memcmp(path->data + i - 1, folders[k], len) == 0) {
                *path = without(*path, i - 1 + len, 0);
                return true;
            }
        }
    }
    return false;
}

/* Removes everything up to and including the first lib/pythonX.Y/ or lib64/pythonX.Y/. Returns
 * false if the path has no such part. */
static bool take_standard(struct report_text *path)
{
    struct report_text rest;
    size_t i;

    for (i = 0; i < path->len; i++) {
        rest = without(*path, i, 0);
        if (!text_begins(rest, "/lib/") && !text_begins(rest, "/lib64/"))
            continue;
        rest = without(rest, text_begins(rest, "/lib/") ? 5 : 7, 0);
        if (rest.len > 0 && take_version(&rest)) {
            *path = rest;
            return true;
        }
    }
    return false;
}

/* Removes `end` from the end of a text, if the text ends with `end` and is longer than `end`. */
static void drop_end(struct report_text *text, const char *end)
{
    size_t len = strlen(end);

    if (text->len > len && memcmp(text->data + text->len - len, end, len) == 0)
        text->len -= len;
}

/* Sets *module to the module that a file of a library belongs to, in the form of a path: "xml/dom".
 * Returns false if the file is not part of a library. */
static bool find_module(struct report_text file, struct report_text *module)
{
    *module = file;
    if (!file.data)
        return false;
    if (text_begins(file, "<frozen ") && file.len > strlen("<frozen >")) {
        *module = without(file, strlen("<frozen "), 1);
        return true;
    }
    if (!take_packages(module) && !take_standard(module))
        return false;
    drop_end(module, ".py");
    drop_end(module, "/__init__");
    return module->len > 0;
}

bool place_is_own(const struct report_frame *f)
{
    struct report_text unused;

    return f->file.data && !find_module(f->file, &unused);
}

const struct report_frame *place_own_frame(const report_frames *frames)
{
    size_t i;

    for (i = frames->count; i > 0; i--) {
        if (place_is_own(&frames->items[i - 1]))
            return &frames->items[i - 1];
    }
    return &frames->items[frames->count - 1];
}

static void put_module(struct buffer *out, struct report_text module)
{
    size_t len = sentence_fitting(module), i;

    for (i = 0; i < len; i++)
        buffer_put_u8(out, module.data[i] == '/' ? '.' : (uint8_t)module.data[i]);
}

/* Appends the name of a frame's function. If the file is part of a library, puts the name of the
 * module in front. For the code of a module itself, appends only the module. Returns false if
 * nothing was appended. */
static bool put_function(struct buffer *out, const struct report_frame *f)
{
    struct report_text name = f->qualname.data ? f->qualname : f->function, module;
    bool in_library = find_module(f->file, &module);
    bool is_module = !name.data || text_is(name, "<module>");

    if (in_library)
        put_module(out, module);
    if (in_library && !is_module)
        buffer_put_u8(out, '.');
    if (!is_module)
        sentence_put_text(out, name);
    return in_library || !is_module;
}

/* The folder is not removed from a file name that is longer than this, in bytes. Without this
 * limit, a malicious report could make the diagnosis read a long name for each waiter. */
#define FILE_MAX 4096

/* Returns the file name without its folder. For file names that are in many folders, returns the
 * last folder and the file name: "pkg/__init__.py". */
static struct report_text file_name(struct report_text file)
{
    static const char *const common[] = {"__init__.py", "__main__.py"};
    struct report_text name;
    size_t start = file.len, i;

    if (file.len > FILE_MAX)
        return file;
    while (start > 0 && file.data[start - 1] != '/')
        start--;
    name = without(file, start, 0);
    for (i = 0; i < 2 && start > 1; i++) {
        if (!text_is(name, common[i]))
            continue;
        for (start--; start > 0 && file.data[start - 1] != '/'; start--)
            ;
        return without(file, start, 0);
    }
    return name;
}

void place_put_line(struct buffer *out, struct report_text file, int64_t line)
{
    sentence_put_text(out, file_name(file));
    if (line == REPORT_UNKNOWN)
        return;
    buffer_put_u8(out, ':');
    sentence_put_number(out, line);
}

bool place_is_in(struct report_text file, const char *module)
{
    struct report_text found;

    return file.data && find_module(file, &found) && text_is(found, module);
}

void place_put(struct buffer *out, const report_frames *frames, bool is_about)
{
    const struct report_frame *own = place_own_frame(frames);
    bool has_function = put_function(out, &frames->items[frames->count - 1]);

    if (!own->file.data) {
        if (!has_function)
            sentence_put(out, "code without a file");
        return;
    }
    if (has_function)
        sentence_put(out, " (");
    if (is_about)
        sentence_put(out, "about ");
    place_put_line(out, own->file, own->line);
    if (has_function)
        sentence_put(out, ")");
}
