/* publisher.c: publishes without end and writes down what was acknowledged.
 *
 *   publisher URL KEY_FILE IN_FLIGHT ACCOUNTS     until it is killed or an answer is no
 * acknowledgement
 *
 *   publisher URL KEY_FILE APP SOURCE once        one job of class bundle whose source nobody
 * uploads, as `rota publish` would; prints the refusal's name and text
 *
 * One line per acknowledged job on stdout, "key job", written before the next publish of that
 * thread, so that whatever stands in the file was acknowledged. */
#include "client.h"

#include <base/auto.h>
#include <base/exit.h>
#include <base/file.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 256, SPEC_BYTES = 900, SPEC_HEAD = 8, CALL_MS = 5000 };

static struct rota_client *client;
static uint8_t spec[SPEC_BYTES] = "{\"pad\":\"";
static unsigned accounts;

static bool publish(unsigned n)
{
    char key[27], account[32], line[80];
    rota_idempotency_key(key);
    snprintf(account, sizeof account, "load-%u", n % accounts);
    Rota__Publish q = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &q;
    q.account = accounts > 1 ? account : (char *)"";
    q.app = (char *)"load";
    q.class_ = (char *)"task";
    q.spec = (ProtobufCBinaryData){sizeof spec, spec};
    q.idempotency_key = key;
    Rota__Reply *reply = NULL;
    if (rota_call(client, &request, CALL_MS, &reply) < 0)
        return false;
    bool is_good = !reply->error && reply->publish;
    if (is_good) {
        int length = snprintf(line, sizeof line, "%s %s\n", key, reply->publish->job);
        is_good = write_all(STDOUT_FILENO, line, (size_t)length) == 0;
    } else if (reply->error) {
        fprintf(stderr, "publisher: %s: %s\n", reply->error->name, reply->error->text);
    }
    rota_reply_free(reply);
    return is_good;
}

static int publish_once(const char *app, const char *source)
{
    static uint8_t key[32];
    Rota__Publish q = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &q;
    q.app = (char *)(uintptr_t)app;
    q.platform = (char *)"ios";
    q.source = (char *)(uintptr_t)source;
    q.source_key = (ProtobufCBinaryData){sizeof key, key};
    Rota__Reply *reply = NULL;
    if (rota_call(client, &request, CALL_MS, &reply) < 0)
        return EXIT_IO;
    if (reply->error)
        printf("%s: %s\n", reply->error->name, reply->error->text);
    rota_reply_free(reply);
    return EXIT_OK;
}

static void *publish_all(void *arg)
{
    unsigned n = (unsigned)(uintptr_t)arg;
    while (publish(n))
        n += 7;
    return NULL;
}

static int publish_many(unsigned threads)
{
    pthread_t thread[THREADS_MAX];
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, publish_all, (void *)(uintptr_t)i) != 0)
            return EXIT_IO;
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    bool is_once = argc == 6 && strcmp(argv[5], "once") == 0;
    if ((argc != 5 && !is_once) || sodium_init() < 0)
        return EXIT_USAGE;
    memset(spec + SPEC_HEAD, 'x', SPEC_BYTES - SPEC_HEAD - 2);
    spec[SPEC_BYTES - 2] = '"';
    spec[SPEC_BYTES - 1] = '}';
    unsigned threads = is_once ? 1 : (unsigned)strtoul(argv[3], NULL, 10);
    accounts = is_once ? 1 : (unsigned)strtoul(argv[4], NULL, 10);
    AUTO_FREE char *text = NULL;
    size_t n;
    if (threads == 0 || threads > THREADS_MAX || accounts == 0 ||
        file_read_secret(argv[2], 4096, &text, &n) < 0)
        return EXIT_USAGE;
    char *environment = strchr(text, '\n');
    if (!environment)
        return EXIT_CONFIG;
    *environment++ = 0;
    environment[strcspn(environment, "\n")] = 0;
    struct rota_client_config config = {.url = argv[1],
                                        .environment = environment,
                                        .credential = text,
                                        .retries_max = ROTA_NO_RETRY};
    if (rota_client_new(&config, &client) < 0)
        return EXIT_CONFIG;
    int code = is_once ? publish_once(argv[3], argv[4]) : publish_many(threads);
    client = rota_client_free(client);
    return code;
}
