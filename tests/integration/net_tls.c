/* net_tls.c: tls+tcp listeners, with and without a client CA.
 *
 * Shows: a client that trusts our CA is served, and its address is known; one that trusts another
 * is not; with a client CA only a client whose certificate it signed is served; files that are
 * missing, no PEM, or a key that others may read are refused at listen; 100 connections that break
 * off before, in and instead of the handshake leave the listener alive, so TLS goes without the
 * self-probe (see the ADR for the limits of that claim). Certificates are made by openssl in a
 * folder that goes with the test.               */
#undef NDEBUG
#include "net_rig.h"
#include "net_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <base/clock.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/tls/tls.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SERVED_MS = 5000, REFUSED_MS = 1500, BREAK_OFFS = 100 };

extern char **environ;
static struct rig rig;
static char dir[] = "/tmp/rota-net-tls-XXXXXX";
static const char *const files[] = {"ca.pem",     "ca.key",     "ca.srl",     "server.pem",
                                    "server.key", "server.csr", "client.pem", "client.key",
                                    "client.csr", "other.pem",  "other.key",  "rubbish.pem"};

static void openssl(char *const argv[])
{
    pid_t pid;
    int status;
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", 1 /* O_WRONLY */, 0);
    assert_int_equal(posix_spawnp(&pid, "openssl", &quiet, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&quiet);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

#define EC_KEY "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"

static void make_self_signed(char *cert, char *key, char *subject)
{
    openssl((char *[]){"openssl", "req", "-x509", EC_KEY, "-keyout", key, "-out", cert, "-days",
                       "2", "-subj", subject, NULL});
}

static void make_signed(char *cert, char *key, char *csr)
{
    openssl((char *[]){"openssl", "req", EC_KEY, "-keyout", key, "-out", csr, "-subj",
                       "/CN=localhost", NULL});
    openssl((char *[]){"openssl", "x509", "-req", "-in", csr, "-CA", "ca.pem", "-CAkey", "ca.key",
                       "-CAcreateserial", "-days", "2", "-out", cert, NULL});
}

static int files_make(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    umask(077);
    make_self_signed("ca.pem", "ca.key", "/CN=rota test CA");
    make_self_signed("other.pem", "other.key", "/CN=another CA");
    make_signed("server.pem", "server.key", "server.csr");
    make_signed("client.pem", "client.key", "client.csr");
    FILE *rubbish = fopen("rubbish.pem", "w");
    assert_non_null(rubbish);
    fputs("no certificate\n", rubbish);
    fclose(rubbish);
    return 0;
}

static int files_remove(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        unlink(files[i]);
    return chdir("/") + rmdir(dir);
}

static char *slurp(const char *path)
{
    static char text[8192];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static nng_tls_config *client_config(const char *ca, const char *cert, const char *key)
{
    nng_tls_config *tls;
    assert_int_equal(nng_tls_config_alloc(&tls, NNG_TLS_MODE_CLIENT), 0);
    assert_int_equal(nng_tls_config_ca_chain(tls, slurp(ca), NULL), 0);
    assert_int_equal(nng_tls_config_server_name(tls, "localhost"), 0);
    if (cert) {
        char *own = strdup(slurp(cert));
        assert_int_equal(nng_tls_config_own_cert(tls, own, slurp(key), NULL), 0);
        free(own);
    }
    return tls;
}

/* True when a ping over a connection of its own is answered within `wait_ms`. */
static bool is_served(uint16_t port, const char *ca, const char *cert, const char *key,
                      nng_duration wait_ms)
{
    static const uint8_t ping[] = {0x08, 0x05, 0x82, 0x01, 0x00};
    char url[64];
    nng_socket client;
    nng_dialer dialer;
    nng_msg *msg, *answer = NULL;
    nng_tls_config *tls = client_config(ca, cert, key);
    snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", port);
    assert_int_equal(nng_req0_open(&client), 0);
    nng_socket_set_ms(client, NNG_OPT_SENDTIMEO, wait_ms);
    nng_socket_set_ms(client, NNG_OPT_RECVTIMEO, wait_ms);
    assert_int_equal(nng_dialer_create(&dialer, client, url), 0);
    assert_int_equal(nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, tls), 0);
    assert_int_equal(nng_dialer_start(dialer, NNG_FLAG_NONBLOCK), 0);
    assert_int_equal(nng_msg_alloc(&msg, sizeof ping), 0);
    memcpy(nng_msg_body(msg), ping, sizeof ping);
    if (nng_sendmsg(client, msg, 0) != 0)
        nng_msg_free(msg);
    else if (nng_recvmsg(client, &answer, 0) == 0)
        nng_msg_free(answer);
    nng_close(client);
    nng_tls_config_free(tls);
    return answer;
}

static uint16_t open_tls(const struct endpoint_config *config)
{
    char url[64];
    uint16_t port = rig_free_port();
    snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", port);
    rig_open(&rig, config, url);
    return port;
}

static void test_who_trusts_our_ca_is_served(void **state)
{
    (void)state;
    struct endpoint_config config = {.tls_cert_file = "server.pem", .tls_key_file = "server.key"};
    uint16_t port = open_tls(&config);
    bool good = is_served(port, "ca.pem", NULL, NULL, SERVED_MS);
    bool bad = is_served(port, "other.pem", NULL, NULL, REFUSED_MS);
    printf("trusts our CA: %s; trusts another: %s; peer %s\n", good ? "served" : "not served",
           bad ? "served" : "not served", rig_last_peer(&rig).address);
    assert_true(good && !bad);
    assert_string_equal(rig_last_peer(&rig).address, "127.0.0.1");
    assert_true(rig_last_peer(&rig).is_loopback && !rig_last_peer(&rig).is_ipc);
    assert_int_equal(rig_last_peer(&rig).uid, UINT32_MAX);
    rig_close(&rig);
}

static void test_a_client_ca_shuts_out_who_it_did_not_sign(void **state)
{
    (void)state;
    struct endpoint_config config = {.tls_cert_file = "server.pem",
                                     .tls_key_file = "server.key",
                                     .tls_client_ca_file = "ca.pem"};
    uint16_t port = open_tls(&config);
    bool none = is_served(port, "ca.pem", NULL, NULL, REFUSED_MS);
    bool stranger = is_served(port, "ca.pem", "other.pem", "other.key", REFUSED_MS);
    bool good = is_served(port, "ca.pem", "client.pem", "client.key", SERVED_MS);
    printf("with a client CA: signed %s, no certificate %s, a stranger's %s\n",
           good ? "served" : "not served", none ? "served" : "not served",
           stranger ? "served" : "not served");
    assert_true(good && !none && !stranger);
    rig_close(&rig);
}

static void test_break_offs_do_not_end_it(void **state)
{
    (void)state;
    struct linger reset = {.l_onoff = 1};
    struct endpoint_config config = {.tls_cert_file = "server.pem", .tls_key_file = "server.key"};
    uint16_t port = open_tls(&config);
    for (int i = 0; i < BREAK_OFFS; i++) {
        struct wire w = wire_open_tcp(port);
        if (i % 4 == 1)
            wire_send_bytes(&w, "GET / HTTP/1.0\r\n\r\n", 18);
        if (i % 4 == 2)
            wire_send_bytes(&w, "\x16\x03\x01\x00\x05", 5); /* the head of a TLS record */
        if (i % 4 >= 2) {
            shutdown(w.fd, SHUT_WR);
            setsockopt(w.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        wire_close(&w);
    }
    bool good = is_served(port, "ca.pem", NULL, NULL, SERVED_MS);
    printf("%d break-offs, then an honest client: %s\n", BREAK_OFFS,
           good ? "served" : "not served");
    assert_true(good);
    rig_close(&rig);
}

static void test_bad_files_are_refused(void **state)
{
    (void)state;
    static const struct endpoint_config rows[] = {
        {.tls_cert_file = "absent.pem", .tls_key_file = "server.key"},
        {.tls_cert_file = "server.pem", .tls_key_file = "absent.key"},
        {.tls_cert_file = "server.pem"},
        {.tls_cert_file = "rubbish.pem", .tls_key_file = "server.key"},
        {.tls_cert_file = "server.pem", .tls_key_file = "rubbish.pem"},
        {.tls_cert_file = "server.pem",
         .tls_key_file = "server.key",
         .tls_client_ca_file = "rubbish.pem"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rig_prepare(&rig, &rows[i]);
        assert_int_equal(endpoint_listen(rig.endpoint, "tls+tcp://127.0.0.1:0"), ENDPOINT_TLS);
        rig_start(&rig);
        rig_close(&rig);
    }
    struct endpoint_config config = {.tls_cert_file = "server.pem", .tls_key_file = "server.key"};
    chmod("server.key", 0640);
    rig_prepare(&rig, &config);
    assert_int_equal(endpoint_listen(rig.endpoint, "tls+tcp://127.0.0.1:0"), ENDPOINT_TLS);
    chmod("server.key", 0600);
    assert_int_equal(endpoint_listen(rig.endpoint, "tls+tcp://127.0.0.1:0"), 0);
    rig_start(&rig);
    rig_close(&rig);
    printf("%zu sets of bad files and a key that others may read refused\n", ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_trusts_our_ca_is_served),
        cmocka_unit_test(test_a_client_ca_shuts_out_who_it_did_not_sign),
        cmocka_unit_test(test_break_offs_do_not_end_it),
        cmocka_unit_test(test_bad_files_are_refused),
    };
    return cmocka_run_group_tests(tests, files_make, files_remove);
}
