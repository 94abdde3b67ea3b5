# What the kernel tells about a process, for the client and the extension: a convenience library.

noinst_LTLIBRARIES += procfs/libprocfs.la
procfs_libprocfs_la_SOURCES = \
	procfs/descriptors.c procfs/descriptors.h \
	procfs/read.c procfs/read.h \
	procfs/patient.c procfs/patient.h \
	procfs/sock_diag.c procfs/sock_diag.h \
	procfs/peers.c procfs/peers.h \
	procfs/syscalls.c procfs/syscalls.h \
	procfs/threads.c procfs/threads.h \
	procfs/shortage.c procfs/shortage.h \
	procfs/clock.h
