/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A C program that embeds Python, for test_embedding.py. For each argument it starts Python, runs
 * the argument as code, and ends Python. Then it prints "life N is over" and waits for a line on
 * stdin.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdio.h>
#include <unistd.h>

static int wait_for_line(void)
{
    char c;

    while (read(STDIN_FILENO, &c, 1) == 1) {
        if (c == '\n')
            return 0;
    }
    return -1;
}

int main(int argc, char **argv)
{
    int i, failed;

    for (i = 1; i < argc; i++) {
        Py_Initialize();
        failed = PyRun_SimpleString(argv[i]);
        if (Py_FinalizeEx() < 0 || failed)
            return 1;
        printf("life %d is over\n", i);
        fflush(stdout);
        if (wait_for_line() < 0)
            return 1;
    }
    return 0;
}
