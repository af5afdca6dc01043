/* verify.c: the order of the looks, and the words that they share. Texts come from files that
 * nobody has vouched for yet: what a terminal must not see never gets into a result. */
#include "verify_impl.h"

#include "text.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static void text_set(char text[VERIFY_TEXT_LEN + 1],
                                                           const char *format, va_list args)
{
    char raw[VERIFY_TEXT_LEN + 1];
    vsnprintf(raw, sizeof raw, format, args);
    AUTO_FREE char *clean = text_clean(raw);
    snprintf(text, VERIFY_TEXT_LEN + 1, "%s", clean);
}

void verify_fault(struct verification *v, enum error_code code, const char *format, ...)
{
    struct verify_result *r = v->result;
    va_list args;
    if (r->n_faults == VERIFY_FAULTS_MAX)
        return;
    va_start(args, format);
    text_set(r->fault[r->n_faults].text, format, args);
    va_end(args);
    r->fault[r->n_faults++].code = code;
}

void verify_note(struct verification *v, const char *name, size_t faults_before, const char *format,
                 ...)
{
    struct verify_result *r = v->result;
    va_list args;
    if (r->n_checks == VERIFY_CHECKS_MAX)
        return;
    struct verify_check *check = &r->check[r->n_checks++];
    snprintf(check->name, sizeof check->name, "%s", name);
    check->is_ok = r->n_faults == faults_before;
    va_start(args, format);
    text_set(check->text, format, args);
    va_end(args);
}

int verify_read(struct verification *v, const char *name, size_t most, char **ret_text,
                size_t *ret_n)
{
    AUTO_FREE char *path = x_printf("%s/%s", v->order->dir, name);
    *ret_text = NULL;
    int r = file_read(path, most, ret_text, ret_n);
    if (r == -ENOENT)
        return VERIFY_ABSENT;
    if (r == -EFBIG) {
        verify_fault(v, E_STATEMENT_INVALID, "%s is too long", name);
        return 0;
    }
    if (r < 0)
        snprintf(v->failed, VERIFY_FAILED_MAX, "%s", path);
    return r < 0 ? err_pass(r) : 0;
}

const char *verify_word(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

bool verify_hex(const char *hex, uint8_t *ret, size_t n)
{
    size_t got = 0;
    return strlen(hex) == 2 * n && strspn(hex, "0123456789abcdef") == 2 * n &&
           sodium_hex2bin(ret, n, hex, 2 * n, NULL, &got, NULL) == 0 && got == n;
}

bool verify_hash(const json_t *object, const char *name, uint8_t *ret, size_t n)
{
    return verify_hex(verify_word(object, name), ret, n);
}

struct verified_file *verify_file_of(struct verification *v, const char *kind)
{
    for (size_t i = 0; i < v->files; i++)
        if (!strcmp(v->file[i].kind, kind))
            return &v->file[i];
    return NULL;
}

int verify_folder(const struct verify_order *order, struct verify_result *ret_result,
                  char failed[VERIFY_FAILED_MAX])
{
    struct verification v = {.order = order, .result = ret_result, .failed = failed};
    *ret_result = (struct verify_result){0};
    int r = verify_files(&v);
    if (r == 0)
        r = verify_statement(&v);
    if (r == 0)
        r = verify_provenance(&v);
    if (r < 0)
        return err_pass(r);
    verify_files_note(&v);
    return 0;
}

void verify_deinit(struct verify_result *result)
{
    json_decref(result->statement);
    json_decref(result->provenance);
    json_decref(result->list);
    *result = (struct verify_result){0};
}
