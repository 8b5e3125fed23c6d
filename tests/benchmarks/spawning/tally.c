/* A process that is counted while it runs, by itself and its like.

   tally FILE CROWD EVERY HOLD   enters the count in FILE, passes the gate, leaves the count, and writes
                                 how long that took: nanoseconds

   The gate is shut for the first, and again for every EVERYth. It opens HOLD milliseconds after CROWD
   are in the count together: time enough for one too many to come. FILE holds four zeroed 32-bit
   numbers that all of them share. */

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct tally {
    atomic_int arrived, inside, most, gate;
};

enum { SHUT, HOLDING, OPEN };

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **arguments) {
    long long began = now();
    if (count != 5) return 2;
    int file = open(arguments[1], O_RDWR | O_CLOEXEC);
    struct tally *tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file < 0 || tally == MAP_FAILED) return 1;

    if (atomic_fetch_add(&tally->arrived, 1) % atoi(arguments[3]) == 0) atomic_store(&tally->gate, SHUT);
    int inside = atomic_fetch_add(&tally->inside, 1) + 1;
    int most = atomic_load(&tally->most);
    while (inside > most && !atomic_compare_exchange_weak(&tally->most, &most, inside)) {
    }
    int gate = SHUT;
    if (inside >= atoi(arguments[2]) && atomic_compare_exchange_strong(&tally->gate, &gate, HOLDING)) {
        long hold = atol(arguments[4]);
        nanosleep(&(struct timespec){hold / 1000, hold % 1000 * 1000000}, NULL);
        atomic_store(&tally->gate, OPEN);
        syscall(SYS_futex, &tally->gate, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    }
    while ((gate = atomic_load(&tally->gate)) != OPEN)
        syscall(SYS_futex, &tally->gate, FUTEX_WAIT, gate, NULL, NULL, 0);
    atomic_fetch_sub(&tally->inside, 1);

    char text[32];
    int size = snprintf(text, sizeof text, "%lld\n", now() - began);
    return write(1, text, (size_t)size) != size;
}
