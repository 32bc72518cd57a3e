#define _GNU_SOURCE
// A service for tests: `server MODE [TEXT]` on 127.0.0.1:$PORT.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef GREET
const char *greet(void);
#else
static const char *greet(void) { return "hello"; }
#endif
int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "ok";
  setvbuf(stdout, 0, _IONBF, 0);
  if (!strcmp(mode, "job")) { puts(argc > 2 ? argv[2] : "job done"); return 0; }
  if (!strcmp(mode, "fail")) { puts("job failed"); return 3; }
  if (!strcmp(mode, "crash")) abort();
  if (!strcmp(mode, "silent")) { puts("never listening"); pause(); }
  if (!strcmp(mode, "whoami")) { printf("uid %d gid %d cwd %s\n", getuid(), getgid(), get_current_dir_name()); return 0; }
  if (!strcmp(mode, "read")) { FILE *f = fopen(argv[2], "r"); puts(f ? "readable" : "unreadable"); return f ? 0 : 5; }
  if (!strcmp(mode, "environ")) { /* Whether any environment that /proc shows has the variable argv[2]. */
    char path[64], word[256]; int shown = 0, at = 0;
    for (int pid = 1; pid < 400; pid++) {
      snprintf(path, sizeof path, "/proc/%d/environ", pid);
      FILE *f = fopen(path, "r");
      if (!f) continue;
      for (int c; (c = fgetc(f)) != EOF;) {
        if (c && c != '=') { if (at < 255) word[at++] = c; continue; }
        word[at] = 0; at = 0;
        if (!strcmp(word, argv[2])) puts("leaked");
      }
      fclose(f); shown++;
    }
    printf("%d environments\n", shown);
    return shown ? 0 : 6;
  }
  if (!strcmp(mode, "write")) { FILE *f = fopen(argv[2], "w"); puts(f ? "writable" : "read-only"); return f ? 0 : 5; }
  if (!strcmp(mode, "orphans")) {
    for (int i = 0; i < 20; i++)
      if (!fork()) { setsid(); if (fork()) _exit(0); signal(SIGTERM, SIG_IGN); for (;;) sleep(1000); }
  }
#ifdef PLUGIN
  if (!dlopen(PLUGIN, RTLD_NOW)) { puts(dlerror()); return 7; }
#endif
  int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("PORT"))), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(s, (void *)&a, sizeof a) || listen(s, 16)) { perror("listen"); return 4; }
  if (argc > 2) printf("%s\n", argv[2]);
  for (int n = 0;; n++) {
    int c = accept(s, 0, 0);
    char in[4096], out[4096];
    read(c, in, sizeof in);
    const char *status = !strcmp(mode, "broken") || (!strcmp(mode, "warming") && n < 3) ? "500 Broken" : "200 OK";
    const char *body = greet();
    snprintf(out, sizeof out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
    write(c, out, strlen(out));
    close(c);
    if (!strcmp(mode, "dies")) { puts("dying"); usleep(50000); return 9; }
  }
}
