# What the kernel tells about a process, for the client and the extension: a convenience library.

noinst_LTLIBRARIES += procfs/libprocfs.la
procfs_libprocfs_la_SOURCES = \
	procfs/folder.c procfs/folder.h \
	procfs/descriptors.c procfs/descriptors.h \
	procfs/read.c procfs/read.h \
	procfs/sock_diag.c procfs/sock_diag.h \
	procfs/peers.c procfs/peers.h \
	procfs/syscalls.c procfs/syscalls.h \
	procfs/threads.c procfs/threads.h \
	procfs/patient.c procfs/patient.h \
	procfs/other_ends.c procfs/other_ends.h \
	procfs/file_locks.c procfs/file_locks.h \
	procfs/database_locks.c procfs/database_locks.h \
	procfs/children.c procfs/children.h \
	procfs/semaphores.c procfs/semaphores.h \
	procfs/mounts.c procfs/mounts.h \
	procfs/target_process.h \
	procfs/sleeps.c procfs/sleeps.h \
	procfs/watched.c procfs/watched.h \
	procfs/target.c procfs/target.h \
	procfs/call_waits.c procfs/call_waits.h \
	procfs/any_of.c procfs/any_of.h \
	procfs/other_processes.c procfs/other_processes.h \
	procfs/thread_facts.c procfs/thread_facts.h \
	procfs/shortage.c procfs/shortage.h \
	procfs/clock.h
