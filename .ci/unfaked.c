/* Waits that go past libfaketime, straight to the kernel; preloaded before it by .ci/test-dates.
 *
 * libfaketime 0.9.10 gives a signal handler the real time as long as its process waits in one of its wrappers: a
 * server's lock_timeout of 50 ms then lasts until the year it pretends to be in. And it takes no absolute time to
 * sleep until, which is how Python sleeps. How long a wait lasts is not what these tests fake.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int epoll_pwait(int fd, struct epoll_event *events, int most, int ms, const sigset_t *mask)
{
    return syscall(SYS_epoll_pwait, fd, events, most, ms, mask, _NSIG / 8);
}

int epoll_wait(int fd, struct epoll_event *events, int most, int ms)
{
    return epoll_pwait(fd, events, most, ms, NULL);
}

int poll(struct pollfd *fds, nfds_t count, int ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    return syscall(SYS_ppoll, fds, count, ms < 0 ? NULL : &left, NULL, _NSIG / 8);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
    return syscall(SYS_clock_nanosleep, clock, flags, time, left) == 0 ? 0 : errno;
}
