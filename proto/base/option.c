/* option.c: four layers write into the same settings, each over the one before: the table's own
 * values, the file and its drop-ins, the environment, the flags. Every layer hands (row, text) to
 * one function, so a value means the same wherever it stands.
 *
 * The flags are read twice: first because one of them may name the file, and again at the end.
 * A list that a layer sets replaces the list of the layers below. libconfuse reads the files and
 * knows their lines; all its options are texts here, and this file gives them their kinds. */
#include "base/option.h"

#include "base/auto.h"

#include <confuse.h>
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

enum { ENV_NAME_MAX = 64, MESSAGE_MAX = 256 };

struct parse {
    const struct option_spec *spec;
    void *settings;
    const char **list_layer; /* per row: the layer that its list comes from */
    const char *layer;
};

/* Texts that settings point to; they live as long as the process and stay reachable from here. */
struct kept {
    struct kept *next;
    char text[];
};
static struct kept *kept_first;

static const char *text_keep(const char *text)
{
    size_t n = strlen(text) + 1;
    struct kept *k = malloc(sizeof *k + n);
    if (!k) {
        fputs("out of memory\n", stderr);
        abort(); /* at start: nothing is lost */
    }
    memcpy(k->text, text, n);
    k->next = kept_first;
    kept_first = k;
    return k->text;
}

/* ---- one value ---- */

static bool u64_parse(const char *text, uint64_t *ret)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno || *end)
        return false;
    *ret = v;
    return true;
}

static bool flag_parse(const char *text, bool *ret)
{
    static const char *const words[][2] = {
        {"no", "yes"}, {"false", "true"}, {"0", "1"}, {"off", "on"}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        for (int v = 0; v < 2; v++)
            if (strcmp(text, words[i][v]) == 0) {
                *ret = v == 1;
                return true;
            }
    return false;
}

static bool u64_store(const struct option_row *row, void *member, const char *text,
                      char message[MESSAGE_MAX])
{
    uint64_t v;
    if (u64_parse(text, &v) && v >= row->least && v <= row->most) {
        *(uint64_t *)member = v;
        return true;
    }
    snprintf(message, MESSAGE_MAX, "%s: \"%.40s\" is not a number from %llu to %llu", row->name,
             text, (unsigned long long)row->least, (unsigned long long)row->most);
    return false;
}

static bool list_store(struct parse *p, const struct option_row *row, struct option_list *list,
                       const char *text, char message[MESSAGE_MAX])
{
    const char **layer = &p->list_layer[row - p->spec->rows];
    if (*layer != p->layer)
        list->n = 0;
    *layer = p->layer;
    if (list->n == OPTION_LIST_MAX) {
        snprintf(message, MESSAGE_MAX, "%s: at most %d of them", row->name, OPTION_LIST_MAX);
        return false;
    }
    list->item[list->n++] = text_keep(text);
    return true;
}

/* False: `message` says what is wrong with the text. */
static bool value_store(struct parse *p, const struct option_row *row, const char *text,
                        char message[MESSAGE_MAX])
{
    void *member = (char *)p->settings + row->offset;
    switch (row->kind) {
    case OPTION_IS_STR:
        *(const char **)member = text_keep(text);
        return true;
    case OPTION_IS_U64:
        return u64_store(row, member, text, message);
    case OPTION_IS_LIST:
        return list_store(p, row, member, text, message);
    case OPTION_IS_FLAG:
        if (flag_parse(text, member))
            return true;
        snprintf(message, MESSAGE_MAX, "%s: \"%.40s\" is neither yes nor no", row->name, text);
    }
    return false;
}

static void defaults_store(struct parse *p)
{
    for (size_t i = 0; i < p->spec->n; i++) {
        const struct option_row *row = &p->spec->rows[i];
        void *member = (char *)p->settings + row->offset;
        switch (row->kind) {
        case OPTION_IS_STR:
            *(const char **)member = row->fallback;
            break;
        case OPTION_IS_U64:
            *(uint64_t *)member = row->fallback_u64;
            break;
        case OPTION_IS_FLAG:
            *(bool *)member = false;
            break;
        case OPTION_IS_LIST:
            ((struct option_list *)member)->n = 0;
            p->list_layer[i] = NULL;
        }
    }
}

static const struct option_row *row_find(const struct option_spec *spec, const char *name, size_t n)
{
    for (size_t i = 0; i < spec->n; i++)
        if (strlen(spec->rows[i].name) == n && memcmp(spec->rows[i].name, name, n) == 0)
            return &spec->rows[i];
    return NULL;
}

/* ---- files ---- */

/* libconfuse's callbacks carry no argument of ours; set while a file is read. */
static struct parse *file_parse;

__attribute__((format(printf, 2, 0))) static void file_complain(cfg_t *cfg, const char *format,
                                                                va_list ap)
{
    char message[MESSAGE_MAX];
    vsnprintf(message, sizeof message, format, ap);
    fprintf(stderr, "%s: %s:%d: %s\n", file_parse->spec->program,
            cfg && cfg->filename ? cfg->filename : "configuration", cfg ? cfg->line : 0, message);
}

static int file_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    char message[MESSAGE_MAX];
    const struct option_row *row = row_find(file_parse->spec, opt->name, strlen(opt->name));
    if (!row || !value_store(file_parse, row, value, message)) {
        cfg_error(cfg, "%s", row ? message : opt->name);
        return -1;
    }
    *(const char **)result = value;
    return 0;
}

static cfg_opt_t *file_options(const struct option_spec *spec)
{
    cfg_opt_t *options = calloc(spec->n + 1, sizeof *options);
    if (!options)
        return NULL;
    for (size_t i = 0; i < spec->n; i++) {
        const char *name = spec->rows[i].name;
        cfg_opt_t one = CFG_STR_CB(name, NULL, CFGF_NODEFAULT, file_value);
        cfg_opt_t list = CFG_STR_LIST_CB(name, NULL, CFGF_NODEFAULT, file_value);
        options[i] = spec->rows[i].kind == OPTION_IS_LIST ? list : one;
    }
    options[spec->n] = (cfg_opt_t)CFG_END();
    return options;
}

static int file_apply(struct parse *p, const char *path)
{
    AUTO_FREE cfg_opt_t *options = file_options(p->spec);
    cfg_t *cfg = options ? cfg_init(options, CFGF_NONE) : NULL;
    if (!cfg)
        return err_raise(-ENOMEM);
    p->layer = text_keep(path);
    file_parse = p;
    cfg_set_error_function(cfg, file_complain);
    int r = cfg_parse(cfg, path);
    if (r == CFG_FILE_ERROR)
        fprintf(stderr, "%s: %s: %s\n", p->spec->program, path, strerror(errno));
    cfg_free(cfg);
    file_parse = NULL;
    return r == CFG_SUCCESS ? 0 : OPTION_CONFIG;
}

/* In the order of their names; glob() sorts. */
static int dropins_apply(struct parse *p, const char *path)
{
    char pattern[PATH_MAX];
    int n = snprintf(pattern, sizeof pattern, "%s.d/*.conf", path);
    if (n < 0 || (size_t)n >= sizeof pattern)
        return err_raise(-ENAMETOOLONG);
    glob_t found;
    int r = glob(pattern, 0, NULL, &found);
    if (r == GLOB_NOMATCH)
        return 0;
    if (r != 0)
        return err_raise(r == GLOB_NOSPACE ? -ENOMEM : -EIO);
    r = 0;
    for (size_t i = 0; r == 0 && i < found.gl_pathc; i++)
        r = file_apply(p, found.gl_pathv[i]);
    globfree(&found);
    return r;
}

/* The table's own path may be absent; one that somebody named may not. */
static int files_apply(struct parse *p, const char *path, bool is_named)
{
    int r = is_named || access(path, F_OK) == 0 ? file_apply(p, path) : 0;
    return r ? r : dropins_apply(p, path);
}

/* ---- environment and flags ---- */

static const char *environment_of(const struct option_row *row, char name[ENV_NAME_MAX])
{
    int n = snprintf(name, ENV_NAME_MAX, "ROTA_%s", row->name);
    for (int i = 0; i < n && i < ENV_NAME_MAX - 1; i++)
        name[i] = (char)(name[i] == '-' ? '_' : toupper((unsigned char)name[i]));
    return getenv(name);
}

static int environment_apply(struct parse *p)
{
    p->layer = "environment";
    for (size_t i = p->spec->flags_only; i < p->spec->n; i++) {
        char name[ENV_NAME_MAX], message[MESSAGE_MAX];
        const char *value = environment_of(&p->spec->rows[i], name);
        if (!value || value_store(p, &p->spec->rows[i], value, message))
            continue;
        fprintf(stderr, "%s: %s: %s\n", p->spec->program, name, message);
        return OPTION_CONFIG;
    }
    return 0;
}

static int usage_error(const struct option_spec *spec, const char *what, const char *flag)
{
    fprintf(stderr, "%s: %s: %s\nTry: %s --help\n", spec->program, flag, what, spec->program);
    return OPTION_USAGE;
}

/* The flag at argv[*i]; moves *i on when it takes the next word as its value. */
static int flag_apply(struct parse *p, int argc, char **argv, int *i)
{
    const char *flag = argv[*i], *name = flag + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_row *row = flag[1] == '-' ? row_find(p->spec, name, n) : NULL;
    if (!row)
        return usage_error(p->spec, "no such option", flag);
    const char *value = equals ? equals + 1 : row->kind == OPTION_IS_FLAG ? "yes" : NULL;
    if (!value && *i + 1 < argc)
        value = argv[++*i];
    if (!value)
        return usage_error(p->spec, "needs a value", flag);
    char message[MESSAGE_MAX];
    if (!value_store(p, row, value, message))
        return usage_error(p->spec, message, flag);
    return 0;
}

static int flags_apply(struct parse *p, int argc, char **argv, char **ret_rest, int *ret_n)
{
    bool is_rest = false;
    p->layer = "flags";
    *ret_n = 0;
    for (int i = 1; i < argc; i++) {
        if (!is_rest && strcmp(argv[i], "--") == 0) {
            is_rest = true;
            continue;
        }
        if (is_rest || argv[i][0] != '-' || !argv[i][1]) {
            ret_rest[(*ret_n)++] = argv[i];
            continue;
        }
        int r = flag_apply(p, argc, argv, &i);
        if (r)
            return r;
    }
    return 0;
}

/* --help and --version win over everything, also over mistakes beside them. */
static bool is_answered(const struct option_spec *spec, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            option_help(spec, stdout);
            return true;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("%s %s\n", spec->program, ROTA_VERSION);
            return true;
        }
    }
    return false;
}

/* The file's path after environment and flags had their say; NULL: none. */
static const char *file_path(struct parse *p, bool *ret_is_named)
{
    const char *name = p->spec->file_option;
    const struct option_row *row = name ? row_find(p->spec, name, strlen(name)) : NULL;
    if (!row)
        return NULL;
    const char *path = *(const char **)((char *)p->settings + row->offset);
    *ret_is_named = path != row->fallback;
    return path;
}

static int layers_apply(struct parse *p, int argc, char **argv, char **ret_rest, int *ret_n)
{
    bool is_named = false;
    defaults_store(p);
    int r = environment_apply(p);
    if (r == 0)
        r = flags_apply(p, argc, argv, ret_rest, ret_n);
    if (r)
        return r;
    const char *path = file_path(p, &is_named);
    if (!path)
        return 0;
    defaults_store(p);
    r = files_apply(p, path, is_named);
    if (r == 0)
        r = environment_apply(p);
    if (r == 0)
        r = flags_apply(p, argc, argv, ret_rest, ret_n);
    return r;
}

int option_parse(const struct option_spec *spec, int argc, char **argv, void *settings,
                 char **ret_rest, int *ret_n)
{
    if (is_answered(spec, argc, argv))
        return OPTION_HELP;
    AUTO_FREE const char **list_layer = calloc(spec->n + 1, sizeof *list_layer);
    if (!list_layer)
        return err_raise(-ENOMEM);
    struct parse p = {.spec = spec, .settings = settings, .list_layer = list_layer};
    int r = layers_apply(&p, argc, argv, ret_rest, ret_n);
    return r < 0 ? err_pass(r) : r;
}
