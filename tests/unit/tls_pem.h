/* tls_pem.h: keys and certificates for tests of tls+tcp, good for a hundred years and for nothing
 * else: a CA, a server's certificate for "localhost" that it signed, and a CA that signed nothing.
 *   openssl ecparam -name prime256v1 -genkey -noout; openssl req -x509 -days 36500; openssl x509
 * -req */
#pragma once

static const char tls_ca_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBhjCCASugAwIBAgIUR1MG9Mg1KAEVGgK8DO6B6dbZdtcwCgYIKoZIzj0EAwIw\n"
    "FzEVMBMGA1UEAwwMcm90YSB0ZXN0IENBMCAXDTI2MTEyMDEwMDY0MFoYDzIxMjYx\n"
    "MDI3MTAwNjQwWjAXMRUwEwYDVQQDDAxyb3RhIHRlc3QgQ0EwWTATBgcqhkjOPQIB\n"
    "BggqhkjOPQMBBwNCAATlWUpmf+EniDaLKfVrjjSbhXeZIO84osgkuuvMyJurkbmH\n"
    "j+fGdMIsk+AAQ/IpuVf40AuvNiW1SkRN1lvqrTcUo1MwUTAdBgNVHQ4EFgQUxKJ4\n"
    "IBdwL9lH+Sv5w/CS8p+zI08wHwYDVR0jBBgwFoAUxKJ4IBdwL9lH+Sv5w/CS8p+z\n"
    "I08wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAhLv7/8l7K53a\n"
    "nTUq2A0xEroPsEe2Rr0H9vcG+2ghkjMCIQCvgzwPJxTiN4+xJOOpW5dKOIayvLAh\n"
    "LFP2fftKNfr6qA==\n"
    "-----END CERTIFICATE-----\n";

static const char tls_server_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBhzCCAS2gAwIBAgIUDNotNz4wjN8WtxywpQlt6pq08CYwCgYIKoZIzj0EAwIw\n"
    "FzEVMBMGA1UEAwwMcm90YSB0ZXN0IENBMCAXDTI2MTEyMDEwMDY0MFoYDzIxMjYx\n"
    "MDI3MTAwNjQwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggq\n"
    "hkjOPQMBBwNCAAQ55m88e/nsuYSOmcrYzU9VLnYmjxFRdrYHDaRzUSF/0YfLAksQ\n"
    "kqOiXQ6gdN+oZbC7vUaC+DTIY2BGCN68TCq0o1gwVjAUBgNVHREEDTALgglsb2Nh\n"
    "bGhvc3QwHQYDVR0OBBYEFBkEKgZ8NfvMguGk0ErN81fne/X7MB8GA1UdIwQYMBaA\n"
    "FMSieCAXcC/ZR/kr+cPwkvKfsyNPMAoGCCqGSM49BAMCA0gAMEUCIDy04DpV7rqT\n"
    "EupldgNdBUaOCw+0qZdq4I/u65glzUeUAiEAnjmpaqaVhIZVvzCoCYifLguoJwMo\n"
    "4jzgMqqQ8wZEzmw=\n"
    "-----END CERTIFICATE-----\n";

static const char tls_server_key_pem[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIBZ507TfVW4OYBQYOpb2VNYWK3sldhiJMUWYH6T+uEIWoAoGCCqGSM49\n"
    "AwEHoUQDQgAEOeZvPHv57LmEjpnK2M1PVS52Jo8RUXa2Bw2kc1Ehf9GHywJLEJKj\n"
    "ol0OoHTfqGWwu71Ggvg0yGNgRgjevEwqtA==\n"
    "-----END EC PRIVATE KEY-----\n";

static const char tls_other_ca_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBgTCCASegAwIBAgIUL8nIT296s6hi3HoYTW5+otXA2l4wCgYIKoZIzj0EAwIw\n"
    "FTETMBEGA1UEAwwKYW5vdGhlciBDQTAgFw0yNjExMjAxMDA2NDBaGA8yMTI2MTAy\n"
    "NzEwMDY0MFowFTETMBEGA1UEAwwKYW5vdGhlciBDQTBZMBMGByqGSM49AgEGCCqG\n"
    "SM49AwEHA0IABPBn+L0vjLLMxMHWDFR5Fnmekvji4poJl/s3zNeN8mZwfi82yhtv\n"
    "qG3qI1lkZ4zrAD+1CCmrzdv9AlN0NFPZekOjUzBRMB0GA1UdDgQWBBRUBqev9WnU\n"
    "XWKKigjZ69UWjY9BUTAfBgNVHSMEGDAWgBRUBqev9WnUXWKKigjZ69UWjY9BUTAP\n"
    "BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIB9n0W66e4TPsx+fc6ER\n"
    "DUXwLic/0F7FEh64db8ZGdbVAiEAwJBSL7ILXQnfHoTYhmUbXPLsekPL/lOrEQ9g\n"
    "uZh7xL4=\n"
    "-----END CERTIFICATE-----\n";
