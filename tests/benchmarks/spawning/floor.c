/* The floor: what it costs at least to run processes, in C, doing what the others do.

   floor COUNT AT_ONCE PROMPT PROGRAM [ARGUMENT...]

   Runs the program COUNT times, AT_ONCE at a time, each in a group of its own: the prompt on its
   standard input, both outputs read to their end, its exit noticed by pidfd and epoll, then
   reaped. Prints {"cpu": seconds, "wall": seconds} of this process, its children left out. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { OUT, ERR, EXIT, SOURCES };

struct child {
    pid_t pid;
    int fds[SOURCES];
    int open;
};

static int poll_fd;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void start(struct child *child, char **command, const char *prompt) {
    int in[2], out[2], err[2];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) fail("pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    if ((errno = posix_spawnp(&child->pid, command[0], &actions, &attributes, command, environ)))
        fail(command[0]);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    if (write(in[1], prompt, strlen(prompt)) < 0 && errno != EPIPE) fail("write");
    close(in[1]);
    child->fds[OUT] = out[0];
    child->fds[ERR] = err[0];
    child->fds[EXIT] = (int)syscall(SYS_pidfd_open, child->pid, 0);
    child->open = SOURCES;
    for (int source = 0; source < SOURCES; source++) {
        struct epoll_event event = {.events = EPOLLIN};
        event.data.u64 = ((unsigned long long)(size_t)child) | (unsigned)source;
        fcntl(child->fds[source], F_SETFL, O_NONBLOCK);
        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, child->fds[source], &event)) fail("epoll_ctl");
    }
}

/* Whether the source has come to its end. */
static int drain(int fd) {
    static char buffer[65536];
    for (;;) {
        ssize_t size = read(fd, buffer, sizeof buffer);
        if (size == 0) return 1;
        if (size < 0) return errno != EAGAIN;
    }
}

static double seconds(struct timeval value) { return value.tv_sec + value.tv_usec / 1e6; }

int main(int count_of_arguments, char **arguments) {
    if (count_of_arguments < 5) return 2;
    int left_to_start = atoi(arguments[1]), at_once = atoi(arguments[2]), running = 0;
    /* Aligned, so that the lowest bits of an address are free to name the source. */
    struct child *children = aligned_alloc(64, 64 * (size_t)at_once);
    struct timespec from, to;
    struct rusage used;

    signal(SIGPIPE, SIG_IGN);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (; running < at_once && left_to_start; running++, left_to_start--)
        start((struct child *)((char *)children + 64 * running), arguments + 4, arguments[3]);
    while (running) {
        struct epoll_event events[64];
        int ready = epoll_wait(poll_fd, events, 64, -1);
        for (int number = 0; number < ready; number++) {
            int source = (int)(events[number].data.u64 & 3);
            struct child *child = (struct child *)(size_t)(events[number].data.u64 & ~3ULL);
            if (source != EXIT && !drain(child->fds[source])) continue;
            /* Closing is not enough: a child between fork and exec holds a copy for a moment, and
               until that is gone the old registration would speak for the next owner's slot. */
            epoll_ctl(poll_fd, EPOLL_CTL_DEL, child->fds[source], NULL);
            close(child->fds[source]);
            if (--child->open) continue;
            waitpid(child->pid, NULL, 0);
            running--;
            if (left_to_start) {
                start(child, arguments + 4, arguments[3]);
                running++;
                left_to_start--;
            }
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    getrusage(RUSAGE_SELF, &used);
    printf("{\"cpu\": %.6f, \"wall\": %.6f}\n", seconds(used.ru_utime) + seconds(used.ru_stime),
           (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    return 0;
}
