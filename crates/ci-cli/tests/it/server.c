/* A service that answers everything with 200 "ok". */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
  const char *port = getenv("PORT");
  const char *answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port ? atoi(port) : 8080)};
  int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 16)) return 1;
  for (;;) {
    char request[4096];
    int peer = accept(listener, 0, 0);
    if (peer < 0) return 1;
    if (read(peer, request, sizeof request) > 0 && write(peer, answer, strlen(answer)) < 0) return 1;
    close(peer);
  }
}
