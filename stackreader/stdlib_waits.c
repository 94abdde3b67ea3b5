/* SPDX-License-Identifier: BSD-3-Clause */
#include "stdlib_waits.h"

#include "dicts.h"
#include "objects.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* class: NULL for a function of the module. */
static const struct {
    const char *module, *class, *name;
    enum lock_kind waits_for;
} functions[FUNCTIONS] = {
    [FUNCTION_CONDITION_ENTER] = {"threading", "Condition", "__enter__", LOCK_NONE},
    [FUNCTION_SEMLOCK_ENTER] = {"multiprocessing.synchronize", "SemLock", "__enter__", LOCK_NONE},
    [FUNCTION_STACK_ENTER] = {"contextlib", "_BaseExitStack", "enter_context", LOCK_NONE},
    [FUNCTION_CONDITION_WAIT] = {"threading", "Condition", "wait", LOCK_CONDITION},
    [FUNCTION_CONDITION_WAIT_FOR] = {"threading", "Condition", "wait_for", LOCK_CONDITION},
    [FUNCTION_EVENT_WAIT] = {"threading", "Event", "wait", LOCK_EVENT},
    [FUNCTION_SEMAPHORE_ACQUIRE] = {"threading", "Semaphore", "acquire", LOCK_SEMAPHORE},
    [FUNCTION_BARRIER_WAIT_INNER] = {"threading", "Barrier", "_wait", LOCK_BARRIER},
    [FUNCTION_BARRIER_WAIT] = {"threading", "Barrier", "wait", LOCK_BARRIER},
    [FUNCTION_WAIT_FOR_THREAD_STATE] = {"threading", "Thread", "_wait_for_tstate_lock",
                                        LOCK_THREAD},
    [FUNCTION_THREAD_JOIN] = {"threading", "Thread", "join", LOCK_THREAD},
    [FUNCTION_QUEUE_GET] = {"queue", "Queue", "get", LOCK_QUEUE_GET},
    [FUNCTION_QUEUE_PUT] = {"queue", "Queue", "put", LOCK_QUEUE_PUT},
    [FUNCTION_QUEUE_JOIN] = {"queue", "Queue", "join", LOCK_QUEUE_JOIN},
    [FUNCTION_FUTURE_RESULT] = {"concurrent.futures._base", "Future", "result", LOCK_FUTURE},
    [FUNCTION_FUTURE_EXCEPTION] = {"concurrent.futures._base", "Future", "exception", LOCK_FUTURE},
    [FUNCTION_FUTURES_WAIT] = {"concurrent.futures._base", NULL, "wait", LOCK_FUTURES},
    [FUNCTION_FUTURES_AS_COMPLETED] = {"concurrent.futures._base", NULL, "as_completed",
                                       LOCK_FUTURES},
    [FUNCTION_POOL_RESULT_WAIT] = {"multiprocessing.pool", "ApplyResult", "wait", LOCK_FUTURE},
    [FUNCTION_POOL_RESULT_GET] = {"multiprocessing.pool", "ApplyResult", "get", LOCK_FUTURE},
    [FUNCTION_POOL_ITERATOR_NEXT] = {"multiprocessing.pool", "IMapIterator", "next", LOCK_FUTURE},
    [FUNCTION_MODULE_LOCK_ACQUIRE] = {"_frozen_importlib", "_ModuleLock", "acquire", LOCK_IMPORT},
    [FUNCTION_WORK_ITEM_RUN] = {"concurrent.futures.thread", "_WorkItem", "run", LOCK_NONE},
    [FUNCTION_HANDLER_ACQUIRE] = {"logging", "Handler", "acquire", LOCK_NONE},
    [FUNCTION_HANDLER_HANDLE] = {"logging", "Handler", "handle", LOCK_NONE},
    [FUNCTION_POOL_WORKER] = {"concurrent.futures.thread", NULL, "_worker", LOCK_NONE},
    [FUNCTION_SHARED_CONDITION_WAIT] = {"multiprocessing.synchronize", "Condition", "wait",
                                        LOCK_CONDITION},
    [FUNCTION_SHARED_CONDITION_WAIT_FOR] = {"multiprocessing.synchronize", "Condition", "wait_for",
                                            LOCK_CONDITION},
    [FUNCTION_SHARED_EVENT_WAIT] = {"multiprocessing.synchronize", "Event", "wait", LOCK_EVENT},
    [FUNCTION_EXECUTOR_MANAGER] = {"concurrent.futures.process", "_ExecutorManagerThread", "run",
                                   LOCK_NONE},
    [FUNCTION_SELECT] = {"selectors", "_PollLikeSelector", "select", LOCK_NONE},
    [FUNCTION_CONNECTION_WAIT] = {"multiprocessing.connection", NULL, "wait", LOCK_NONE},
    [FUNCTION_CHILD_POLL] = {"multiprocessing.popen_fork", "Popen", "poll", LOCK_NONE},
    [FUNCTION_CHILD_WAIT] = {"multiprocessing.popen_fork", "Popen", "wait", LOCK_NONE},
    [FUNCTION_SERVED_CHILD_POLL] = {"multiprocessing.popen_forkserver", "Popen", "poll", LOCK_NONE},
    [FUNCTION_PROCESS_JOIN] = {"multiprocessing.process", "BaseProcess", "join", LOCK_PROCESS},
    [FUNCTION_POPEN_TRY_WAIT] = {"subprocess", "Popen", "_try_wait", LOCK_PROCESS},
    [FUNCTION_POPEN_WAIT_PIDFD] = {"subprocess", "Popen", "_wait_pidfd", LOCK_PROCESS},
    [FUNCTION_POPEN_WAIT_INNER] = {"subprocess", "Popen", "_wait", LOCK_PROCESS},
    [FUNCTION_POPEN_WAIT] = {"subprocess", "Popen", "wait", LOCK_PROCESS},
    [FUNCTION_COMMUNICATE_IO] = {"subprocess", NULL, "_communicate_io_posix", LOCK_NONE},
    [FUNCTION_POPEN_COMMUNICATE_INNER] = {"subprocess", "Popen", "_communicate", LOCK_CHILD},
    [FUNCTION_POPEN_COMMUNICATE] = {"subprocess", "Popen", "communicate", LOCK_CHILD},
    [FUNCTION_EXECUTOR_WAIT] = {"concurrent.futures.process", "_ExecutorManagerThread",
                                "wait_result_broken_or_wakeup", LOCK_WORKERS},
};

static const struct {
    const char *module, *name;
} classes[CLASSES] = {
    [CLASS_CONDITION] = {"threading", "Condition"},
    [CLASS_SEMAPHORE] = {"threading", "Semaphore"},
    [CLASS_SEMLOCK] = {"multiprocessing.synchronize", "SemLock"},
    [CLASS_SHARED_CONDITION] = {"multiprocessing.synchronize", "Condition"},
    [CLASS_EXIT_STACK] = {"contextlib", "_BaseExitStack"},
    [CLASS_CONTEXT_MANAGER] = {"contextlib", "_GeneratorContextManagerBase"},
};

#define MODULES_MAX (FUNCTIONS + CLASSES + 1)

/* The modules that the tables name, and the module and the class that were opened last. They stay
 * open because the tables name each of them several times in a row. */
struct opened {
    const char *names[MODULES_MAX]; /* of the modules */
    uint64_t modules[MODULES_MAX];  /* their addresses; 0: not imported */
    size_t count;
    const char *name, *class_name;
    bool found, class_found;
    struct dict module, class;
};

/* Returns the index of a module in o->names, or o->count if it is not there. */
static size_t index_of(const struct opened *o, const char *name)
{
    size_t i;

    for (i = 0; i < o->count && strcmp(o->names[i], name) != 0; i++) {
    }
    return i;
}

static void add_name(struct opened *o, const char *name)
{
    if (index_of(o, name) == o->count)
        o->names[o->count++] = name;
}

/* Finds all modules at once, because most of the time is spent on reading the names of the modules
 * that the program has imported. */
static bool find_modules(const struct python *py, uint64_t interpreter, struct opened *o)
{
    struct dict modules;
    size_t i;

    add_name(o, "sys");
    for (i = 0; i < FUNCTIONS; i++)
        add_name(o, functions[i].module);
    for (i = 0; i < CLASSES; i++)
        add_name(o, classes[i].module);
    if (!modules_open(py, interpreter, &modules))
        return false;
    dict_find_all(py, &modules, o->names, o->count, o->modules);
    return true;
}

static bool open_next(const struct python *py, struct opened *o, const char *name)
{
    uint64_t module;

    if (o->name && strcmp(o->name, name) == 0)
        return o->found;
    o->name = name;
    o->class_name = NULL;
    module = o->modules[index_of(o, name)];
    o->found = module && module_open_at(py, module, &o->module);
    return o->found;
}

/* Opens the attributes of a class of the open module. */
static bool open_class(const struct python *py, struct opened *o, const char *name)
{
    uint64_t class;

    if (o->class_name && strcmp(o->class_name, name) == 0)
        return o->class_found;
    o->class_name = name;
    o->class_found =
        dict_find(py, &o->module, name, &class) && type_open_attributes(py, class, &o->class);
    return o->class_found;
}

/* Sets *function to the address of the function that entry i of the table `functions` names. The
 * module of this entry must be open. */
static bool find_function(const struct python *py, struct opened *o, size_t i, uint64_t *function)
{
    if (!functions[i].class)
        return dict_find(py, &o->module, functions[i].name, function);
    return open_class(py, o, functions[i].class) &&
           dict_find(py, &o->class, functions[i].name, function);
}

/* Returns the code object of a function, or 0. */
static uint64_t code_of(const struct python *py, uint64_t function)
{
    uint64_t code;

    if (!object_type_is(py, object_type(py, function), "function") ||
        !read_member(py, function, py->offsets->function.code, &code))
        return 0;
    return code;
}

void stdlib_find(const struct python *py, uint64_t interpreter, struct stdlib *to)
{
    struct opened opened = {0};
    uint64_t class, function;
    size_t i;

    memset(to, 0, sizeof(*to));
    if (!find_modules(py, interpreter, &opened))
        return;
    if (open_next(py, &opened, "sys"))
        dict_find(py, &opened.module, "stdout", &to->output);
    for (i = 0; i < FUNCTIONS; i++) {
        if (open_next(py, &opened, functions[i].module) && find_function(py, &opened, i, &function))
            to->codes[i] = code_of(py, function);
    }
    for (i = 0; i < CLASSES; i++) {
        if (open_next(py, &opened, classes[i].module) &&
            dict_find(py, &opened.module, classes[i].name, &class))
            to->classes[i] = class;
    }
}

enum stdlib_function stdlib_function(const struct stdlib *l, uint64_t code)
{
    size_t i;

    for (i = 0; code && i < FUNCTIONS; i++) {
        if (l->codes[i] == code)
            return (enum stdlib_function)i;
    }
    return FUNCTIONS;
}

enum lock_kind stdlib_waits_for(enum stdlib_function function)
{
    return function < FUNCTIONS ? functions[function].waits_for : LOCK_NONE;
}

bool stdlib_is_of_process(enum stdlib_function function)
{
    return function >= FUNCTION_SELECT && function < FUNCTIONS;
}

bool stdlib_is_a(const struct python *py, const struct stdlib *l, uint64_t object,
                 enum stdlib_class class)
{
    return l->classes[class] && type_is_derived(py, object_type(py, object), l->classes[class]);
}
