/* vars.c: one call, and its answer turned into an environment. */
#include "vars.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A broker of a time before variables has none. */
static bool is_older_broker(const Rota__Error *error)
{
    return strcmp(error->name, "OPERATION_UNKNOWN") == 0 ||
           strcmp(error->name, "FIELD_UNKNOWN") == 0 || strcmp(error->name, "MALFORMED") == 0;
}

static int refused(const Rota__Error *error, struct build_result *result)
{
    if (is_older_broker(error))
        return 0;
    enum error_code code = error_by_name(error->name);
    build_fail(result, code ? code : E_RUNNER_FAULT, "%s", error->text);
    if (!error->retryable && code == E_SECRET_SEALED)
        result->outcome = BUILD_FAULT;
    return VARS_REFUSED;
}

static int fill(struct vars *v)
{
    const Rota__VarReadResult *read = v->reply->var_read;
    for (size_t i = 0; i < read->n_withheld; i++)
        v->is_token_withheld |= strcmp(read->withheld[i], "ROTA_GIT_TOKEN") == 0;
    v->var = calloc(read->n_var + 1, sizeof *v->var);
    if (!v->var)
        return err_raise(-ENOMEM);
    for (size_t i = 0; i < read->n_var; i++) {
        const Rota__VarValue *var = read->var[i];
        size_t n = strlen(var->name) + 1 + var->value.len + 1;
        char *text = calloc(1, n);
        if (!text)
            return err_raise(-ENOMEM);
        snprintf(text, n, "%s=%.*s", var->name, (int)var->value.len, (const char *)var->value.data);
        v->var[v->n++] = (struct build_var){text, var->secret};
    }
    return 0;
}

int vars_fetch(const struct build *b, struct vars *ret_vars, struct build_result *result)
{
    Rota__VarRead op = ROTA__VAR_READ__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    *ret_vars = (struct vars){0};
    op.lease = b->lease;
    request.op_case = ROTA__REQUEST__OP_VAR_READ;
    request.var_read = &op;
    int r = rota_call(b->client, &request, 0, &ret_vars->reply);
    if (r < 0)
        return err_pass(r);
    if (ret_vars->reply->error)
        return refused(ret_vars->reply->error, result);
    if (ret_vars->reply->result_case != ROTA__REPLY__RESULT_VAR_READ)
        return err_raise(-EPROTO);
    return fill(ret_vars);
}

void vars_deinit(struct vars *v)
{
    for (size_t i = 0; i < v->n; i++) {
        char *text = (char *)(uintptr_t)v->var[i].text;
        sodium_memzero(text, strlen(text));
        free(text);
    }
    free(v->var);
    if (v->reply && v->reply->result_case == ROTA__REPLY__RESULT_VAR_READ)
        for (size_t i = 0; i < v->reply->var_read->n_var; i++) {
            ProtobufCBinaryData *value = &v->reply->var_read->var[i]->value;
            if (value->len)
                sodium_memzero(value->data, value->len);
        }
    rota_reply_free(v->reply);
    *v = (struct vars){0};
}
