/* A process that tells when it did something: nanoseconds on the monotonic clock.

   stamp exit MILLISECONDS   sleeps, writes the time to standard output and exits at once
   anything else             sleeps 5 ms, writes an error and the time to standard error and hangs

   The second form ignores its arguments, so that it can stand in for an agent CLI. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void nap(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void tell(int descriptor, const char *words) {
    char text[128];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int size = snprintf(text, sizeof text, "%s%lld\n", words, now.tv_sec * 1000000000LL + now.tv_nsec);
    if (write(descriptor, text, (size_t)size) != size) _exit(1);
}

int main(int count, char **arguments) {
    if (count == 3 && !strcmp(arguments[1], "exit")) {
        nap(atol(arguments[2]));
        tell(1, "");
        _exit(0);
    }
    nap(5);
    tell(2, "Invalid API key ");
    for (;;) pause();
}
