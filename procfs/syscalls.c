/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/syscalls.h"

#include <stddef.h>
#include <sys/syscall.h>

/* The system calls in which a thread may wait. Which of these calls exist depends on the machine
 * and on the version of the headers. */
static const struct {
    long number;
    const char *name;
    bool has_fd;
} names[] = {
#ifdef SYS_accept
    {SYS_accept, "accept", true},
#endif
#ifdef SYS_accept4
    {SYS_accept4, "accept4", true},
#endif
#ifdef SYS_access
    {SYS_access, "access", false},
#endif
#ifdef SYS_chmod
    {SYS_chmod, "chmod", false},
#endif
#ifdef SYS_chown
    {SYS_chown, "chown", false},
#endif
#ifdef SYS_clock_nanosleep
    {SYS_clock_nanosleep, "clock_nanosleep", false},
#endif
#ifdef SYS_clone
    {SYS_clone, "clone", false},
#endif
#ifdef SYS_clone3
    {SYS_clone3, "clone3", false},
#endif
#ifdef SYS_close
    {SYS_close, "close", false},
#endif
#ifdef SYS_connect
    {SYS_connect, "connect", true},
#endif
#ifdef SYS_copy_file_range
    {SYS_copy_file_range, "copy_file_range", false},
#endif
#ifdef SYS_creat
    {SYS_creat, "creat", false},
#endif
#ifdef SYS_epoll_pwait
    {SYS_epoll_pwait, "epoll_pwait", true},
#endif
#ifdef SYS_epoll_pwait2
    {SYS_epoll_pwait2, "epoll_pwait2", true},
#endif
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, "epoll_wait", true},
#endif
#ifdef SYS_execve
    {SYS_execve, "execve", false},
#endif
#ifdef SYS_execveat
    {SYS_execveat, "execveat", false},
#endif
#ifdef SYS_exit
    {SYS_exit, "exit", false},
#endif
#ifdef SYS_exit_group
    {SYS_exit_group, "exit_group", false},
#endif
#ifdef SYS_faccessat
    {SYS_faccessat, "faccessat", false},
#endif
#ifdef SYS_faccessat2
    {SYS_faccessat2, "faccessat2", false},
#endif
#ifdef SYS_fallocate
    {SYS_fallocate, "fallocate", true},
#endif
#ifdef SYS_fcntl
    {SYS_fcntl, "fcntl", true},
#endif
#ifdef SYS_fdatasync
    {SYS_fdatasync, "fdatasync", true},
#endif
#ifdef SYS_finit_module
    {SYS_finit_module, "finit_module", false},
#endif
#ifdef SYS_flock
    {SYS_flock, "flock", true},
#endif
#ifdef SYS_fork
    {SYS_fork, "fork", false},
#endif
#ifdef SYS_fstat
    {SYS_fstat, "fstat", false},
#endif
#ifdef SYS_fstatfs
    {SYS_fstatfs, "fstatfs", false},
#endif
#ifdef SYS_fsync
    {SYS_fsync, "fsync", true},
#endif
#ifdef SYS_ftruncate
    {SYS_ftruncate, "ftruncate", true},
#endif
#ifdef SYS_futex
    {SYS_futex, "futex", false},
#endif
#ifdef SYS_futex_waitv
    {SYS_futex_waitv, "futex_waitv", false},
#endif
#ifdef SYS_getdents64
    {SYS_getdents64, "getdents64", true},
#endif
#ifdef SYS_getrandom
    {SYS_getrandom, "getrandom", false},
#endif
#ifdef SYS_io_getevents
    {SYS_io_getevents, "io_getevents", false},
#endif
#ifdef SYS_io_pgetevents
    {SYS_io_pgetevents, "io_pgetevents", false},
#endif
#ifdef SYS_io_uring_enter
    {SYS_io_uring_enter, "io_uring_enter", false},
#endif
#ifdef SYS_ioctl
    {SYS_ioctl, "ioctl", true},
#endif
#ifdef SYS_keyctl
    {SYS_keyctl, "keyctl", false},
#endif
#ifdef SYS_kill
    {SYS_kill, "kill", false},
#endif
#ifdef SYS_link
    {SYS_link, "link", false},
#endif
#ifdef SYS_linkat
    {SYS_linkat, "linkat", false},
#endif
#ifdef SYS_lstat
    {SYS_lstat, "lstat", false},
#endif
#ifdef SYS_madvise
    {SYS_madvise, "madvise", false},
#endif
#ifdef SYS_membarrier
    {SYS_membarrier, "membarrier", false},
#endif
#ifdef SYS_mkdir
    {SYS_mkdir, "mkdir", false},
#endif
#ifdef SYS_mkdirat
    {SYS_mkdirat, "mkdirat", false},
#endif
#ifdef SYS_mlock
    {SYS_mlock, "mlock", false},
#endif
#ifdef SYS_mmap
    {SYS_mmap, "mmap", false},
#endif
#ifdef SYS_mount
    {SYS_mount, "mount", false},
#endif
#ifdef SYS_mprotect
    {SYS_mprotect, "mprotect", false},
#endif
#ifdef SYS_mq_timedreceive
    {SYS_mq_timedreceive, "mq_timedreceive", false},
#endif
#ifdef SYS_mq_timedsend
    {SYS_mq_timedsend, "mq_timedsend", false},
#endif
#ifdef SYS_mremap
    {SYS_mremap, "mremap", false},
#endif
#ifdef SYS_msgrcv
    {SYS_msgrcv, "msgrcv", false},
#endif
#ifdef SYS_msgsnd
    {SYS_msgsnd, "msgsnd", false},
#endif
#ifdef SYS_msync
    {SYS_msync, "msync", false},
#endif
#ifdef SYS_munmap
    {SYS_munmap, "munmap", false},
#endif
#ifdef SYS_nanosleep
    {SYS_nanosleep, "nanosleep", false},
#endif
#ifdef SYS_newfstatat
    {SYS_newfstatat, "newfstatat", false},
#endif
#ifdef SYS_open
    {SYS_open, "open", false},
#endif
#ifdef SYS_openat
    {SYS_openat, "openat", false},
#endif
#ifdef SYS_openat2
    {SYS_openat2, "openat2", false},
#endif
#ifdef SYS_pause
    {SYS_pause, "pause", false},
#endif
#ifdef SYS_poll
    {SYS_poll, "poll", false},
#endif
#ifdef SYS_ppoll
    {SYS_ppoll, "ppoll", false},
#endif
#ifdef SYS_pread64
    {SYS_pread64, "pread64", true},
#endif
#ifdef SYS_preadv
    {SYS_preadv, "preadv", true},
#endif
#ifdef SYS_process_madvise
    {SYS_process_madvise, "process_madvise", false},
#endif
#ifdef SYS_process_vm_readv
    {SYS_process_vm_readv, "process_vm_readv", false},
#endif
#ifdef SYS_process_vm_writev
    {SYS_process_vm_writev, "process_vm_writev", false},
#endif
#ifdef SYS_pselect6
    {SYS_pselect6, "pselect6", false},
#endif
#ifdef SYS_ptrace
    {SYS_ptrace, "ptrace", false},
#endif
#ifdef SYS_pwrite64
    {SYS_pwrite64, "pwrite64", true},
#endif
#ifdef SYS_pwritev
    {SYS_pwritev, "pwritev", true},
#endif
#ifdef SYS_read
    {SYS_read, "read", true},
#endif
#ifdef SYS_readlink
    {SYS_readlink, "readlink", false},
#endif
#ifdef SYS_readlinkat
    {SYS_readlinkat, "readlinkat", false},
#endif
#ifdef SYS_readv
    {SYS_readv, "readv", true},
#endif
#ifdef SYS_recvfrom
    {SYS_recvfrom, "recvfrom", true},
#endif
#ifdef SYS_recvmmsg
    {SYS_recvmmsg, "recvmmsg", true},
#endif
#ifdef SYS_recvmsg
    {SYS_recvmsg, "recvmsg", true},
#endif
#ifdef SYS_rename
    {SYS_rename, "rename", false},
#endif
#ifdef SYS_renameat
    {SYS_renameat, "renameat", false},
#endif
#ifdef SYS_renameat2
    {SYS_renameat2, "renameat2", false},
#endif
#ifdef SYS_request_key
    {SYS_request_key, "request_key", false},
#endif
#ifdef SYS_restart_syscall
    {SYS_restart_syscall, "restart_syscall", false},
#endif
#ifdef SYS_rmdir
    {SYS_rmdir, "rmdir", false},
#endif
#ifdef SYS_rt_sigsuspend
    {SYS_rt_sigsuspend, "rt_sigsuspend", false},
#endif
#ifdef SYS_rt_sigtimedwait
    {SYS_rt_sigtimedwait, "rt_sigtimedwait", false},
#endif
#ifdef SYS_sched_yield
    {SYS_sched_yield, "sched_yield", false},
#endif
#ifdef SYS_select
    {SYS_select, "select", false},
#endif
#ifdef SYS_semop
    {SYS_semop, "semop", false},
#endif
#ifdef SYS_semtimedop
    {SYS_semtimedop, "semtimedop", false},
#endif
#ifdef SYS_sendfile
    {SYS_sendfile, "sendfile", true},
#endif
#ifdef SYS_sendmmsg
    {SYS_sendmmsg, "sendmmsg", true},
#endif
#ifdef SYS_sendmsg
    {SYS_sendmsg, "sendmsg", true},
#endif
#ifdef SYS_sendto
    {SYS_sendto, "sendto", true},
#endif
#ifdef SYS_shmat
    {SYS_shmat, "shmat", false},
#endif
#ifdef SYS_splice
    {SYS_splice, "splice", false},
#endif
#ifdef SYS_stat
    {SYS_stat, "stat", false},
#endif
#ifdef SYS_statfs
    {SYS_statfs, "statfs", false},
#endif
#ifdef SYS_statx
    {SYS_statx, "statx", false},
#endif
#ifdef SYS_symlink
    {SYS_symlink, "symlink", false},
#endif
#ifdef SYS_symlinkat
    {SYS_symlinkat, "symlinkat", false},
#endif
#ifdef SYS_sync
    {SYS_sync, "sync", false},
#endif
#ifdef SYS_sync_file_range
    {SYS_sync_file_range, "sync_file_range", true},
#endif
#ifdef SYS_syncfs
    {SYS_syncfs, "syncfs", true},
#endif
#ifdef SYS_tee
    {SYS_tee, "tee", false},
#endif
#ifdef SYS_tgkill
    {SYS_tgkill, "tgkill", false},
#endif
#ifdef SYS_truncate
    {SYS_truncate, "truncate", false},
#endif
#ifdef SYS_umount2
    {SYS_umount2, "umount2", false},
#endif
#ifdef SYS_unlink
    {SYS_unlink, "unlink", false},
#endif
#ifdef SYS_unlinkat
    {SYS_unlinkat, "unlinkat", false},
#endif
#ifdef SYS_userfaultfd
    {SYS_userfaultfd, "userfaultfd", false},
#endif
#ifdef SYS_vfork
    {SYS_vfork, "vfork", false},
#endif
#ifdef SYS_vmsplice
    {SYS_vmsplice, "vmsplice", false},
#endif
#ifdef SYS_wait4
    {SYS_wait4, "wait4", false},
#endif
#ifdef SYS_waitid
    {SYS_waitid, "waitid", false},
#endif
#ifdef SYS_write
    {SYS_write, "write", true},
#endif
#ifdef SYS_writev
    {SYS_writev, "writev", true},
#endif
};

#define COUNT (sizeof(names) / sizeof(*names))

const char *procfs_syscall_name(long number)
{
    size_t i;

    for (i = 0; i < COUNT; i++) {
        if (names[i].number == number)
            return names[i].name;
    }
    return NULL;
}

bool procfs_syscall_has_fd(long number)
{
    size_t i;

    for (i = 0; i < COUNT; i++) {
        if (names[i].number == number)
            return names[i].has_fd;
    }
    return false;
}
