/* SPDX-License-Identifier: BSD-3-Clause */
#include "text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "color.h"

#define DEFAULT_WIDTH  80
#define DEFAULT_HEIGHT 24

/* How many bytes of text, UTF-8, are a control character that a terminal would act on: 1 for C0 and
 * DEL, 2 for C1 (U+0080 to U+009F), 0 for anything else. */
static size_t control_length(const char *text, size_t len)
{
    unsigned char c = (unsigned char)text[0];

    if (c == '\n' || c == '\t')
        return 0;
    if (c < 0x20 || c == 0x7f)
        return 1;
    return c == 0xc2 && len > 1 && (unsigned char)text[1] < 0xa0 ? 2 : 0;
}

void text_print(FILE *stream, const char *text, size_t len)
{
    size_t control;

    if (!isatty(fileno(stream)) && !color_is_on(stream)) {
        fwrite(text, 1, len, stream);
        return;
    }
    for (size_t i = 0; i < len; i += control ? control : 1) {
        control = control_length(text + i, len - i);
        if (control == 0)
            fputc(text[i], stream);
        else /* the last byte of both forms is the character's number */
            fprintf(stream, "\\x%02x", (unsigned char)text[i + control - 1]);
    }
}

size_t text_fitting(const char *text, size_t len, size_t columns)
{
    size_t used = 0, control, width, i;

    for (i = 0; i < len; i += control ? control : 1) {
        control = control_length(text + i, len - i);
        width = ((unsigned char)text[i] & 0xc0) != 0x80; /* none for what goes on a character */
        used += control ? sizeof("\\x1b") - 1 : width;
        if (used > columns)
            break;
    }
    return i;
}

int text_height(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        return size.ws_row;
    return DEFAULT_HEIGHT;
}

int text_width(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return DEFAULT_WIDTH;
}
