/* bundle_apps.c: the kinds of apps that people have, each built for both platforms by the real
 * pipeline: the oldest React Native that is supported, the newest, and Expo, alone and in an npm
 * workspace. What comes out must be bytecode of the version that the app's own React Native reads,
 * made with the app's own tools on the Node that its `engines` ask for, with the images where the
 * platform looks for them.
 *
 * Needs several versions of Node (scripts/setup --node). Prints each build with its times.
 *
 *   bundle_apps APPS_FOLDER [ROW...] */
#undef NDEBUG
#include "bundle_pack.h"
#include "bundle_rows.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <base/auto.h>
#include <base/file.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WORKSPACE_MIB = 3072, IMAGES_MAX = 3, LAYERS_MAX = 2, BUNDLE_BYTES_MAX = 64 << 20 };

static const uint64_t bytecode_magic = 0x1f1903c103bc1fc6;

#define EXPO_WORKSPACE                                                                             \
    .app = "expo", .workspace = "expo-workspace", .at = "apps/mobile",                             \
    .without = "apps/mobile/package-lock.json", .spec = "{\"root\":\"apps/mobile\"}",              \
    .words = "Words from a package of the workspace", .bytecode_version = 98,                      \
    .tools = "react-native 0.86.3, metro 0.84.5, hermesc 250829098.0.17, node v2"

static const struct row {
    const char *name, *app, *platform;
    uint32_t bytecode_version;
    const char *tools;             /* what the log must say of them */
    const char *image[IMAGES_MAX]; /* in the assets archive */
    /* Of an app in a workspace: the workspace, where the app lies in it, what it leaves out, and
     * words of a package beside the app, which the bundle must have. */
    const char *workspace, *at, *without, *spec, *words;
} rows[] = {
    {.name = "rn-0.73-android",
     .app = "rn-0.73",
     .platform = "android",
     .bytecode_version = 96,
     .tools = "react-native 0.73.11, metro 0.80.12, hermesc 0.73.11, node v2",
     .image = {"drawable-mdpi/assets_wheel.png", "drawable-xhdpi/assets_wheel.png"}},
    {.name = "rn-0.73-ios",
     .app = "rn-0.73",
     .platform = "ios",
     .bytecode_version = 96,
     .tools = "react-native 0.73.11, metro 0.80.12, hermesc 0.73.11, node v2",
     .image = {"assets/assets/wheel.png", "assets/assets/wheel@2x.png"}},
    {.name = "rn-newest-android",
     .app = "rn-newest",
     .platform = "android",
     .bytecode_version = 99,
     .tools = "react-native 0.88.1, metro 0.87.1, hermesc 260318099.0.5, node v22.",
     .image = {"drawable-mdpi/assets_wheel.png", "drawable-xxhdpi/assets_wheel.png",
               "raw/keep.xml"}},
    {.name = "rn-newest-ios",
     .app = "rn-newest",
     .platform = "ios",
     .bytecode_version = 99,
     .tools = "react-native 0.88.1, metro 0.87.1, hermesc 260318099.0.5, node v22.",
     .image = {"assets/assets/wheel.png", "assets/assets/wheel@3x.png"}},
    {.name = "expo-android",
     .app = "expo",
     .platform = "android",
     .bytecode_version = 98,
     .tools = "react-native 0.86.3, metro 0.84.5, hermesc 250829098.0.17, node v2",
     .image = {"drawable-mdpi/assets_wheel.png", "drawable-xhdpi/assets_wheel.png",
               "raw/keep.xml"}},
    {.name = "expo-ios",
     .app = "expo",
     .platform = "ios",
     .bytecode_version = 98,
     .tools = "react-native 0.86.3, metro 0.84.5, hermesc 250829098.0.17, node v2",
     .image = {"assets/assets/wheel.png", "assets/assets/wheel@2x.png"}},
    {EXPO_WORKSPACE, .name = "expo-workspace-android", .platform = "android",
     .image = {"drawable-mdpi/assets_wheel.png", "drawable-xhdpi/assets_wheel.png",
               "raw/keep.xml"}},
    {EXPO_WORKSPACE, .name = "expo-workspace-ios", .platform = "ios",
     .image = {"assets/assets/wheel.png", "assets/assets/wheel@2x.png"}},
};

static void check_bytecode(const struct row *row)
{
    struct {
        uint64_t magic;
        uint32_t version;
    } header = {0};
    char path[KIT_PATH_MAX];
    kit_object(&rows_kit, ROTA__OBJECT_KIND__BUNDLE, path);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    rows_expect(fd >= 0 && read(fd, &header, sizeof header) == (ssize_t)sizeof header &&
                    header.magic == bytecode_magic,
                row->name, "the bundle is no bytecode");
    printf("%s: bytecode version %u\n", row->name, header.version);
    rows_expect(header.version == row->bytecode_version, row->name, "another bytecode version");
}

static void check_words(const struct row *row)
{
    AUTO_FREE char *bundle = NULL;
    char path[KIT_PATH_MAX];
    size_t n = 0;
    kit_object(&rows_kit, ROTA__OBJECT_KIND__BUNDLE, path);
    assert(file_read(path, BUNDLE_BYTES_MAX, &bundle, &n) == 0);
    rows_expect(memmem(bundle, n, row->words, strlen(row->words)) != NULL, row->name, row->words);
}

static void check_images(const struct row *row)
{
    char path[KIT_PATH_MAX];
    bool has[IMAGES_MAX] = {0};
    struct archive_entry *entry;
    struct archive *in = archive_read_new();
    kit_object(&rows_kit, ROTA__OBJECT_KIND__ASSETS, path);
    assert(in && archive_read_support_filter_gzip(in) == ARCHIVE_OK &&
           archive_read_support_format_tar(in) == ARCHIVE_OK);
    assert(archive_read_open_filename(in, path, 1 << 16) == ARCHIVE_OK);
    while (archive_read_next_header(in, &entry) == ARCHIVE_OK)
        for (size_t i = 0; i < IMAGES_MAX; i++)
            has[i] |= row->image[i] && strcmp(archive_entry_pathname(entry), row->image[i]) == 0;
    assert(archive_read_free(in) == ARCHIVE_OK);
    for (size_t i = 0; i < IMAGES_MAX; i++)
        rows_expect(has[i] || !row->image[i], row->name, row->image[i]);
}

static int build(size_t at, const char *apps, const char *archive, struct build_result *ret,
                 struct kit_seen *ret_seen)
{
    const struct row *row = &rows[at];
    const char *const layers[LAYERS_MAX] = {row->app, row->workspace};
    struct pack_plan plan = {.top = apps,
                             .layers = layers,
                             .layers_n = LAYERS_MAX,
                             .first_at = row->at,
                             .without = row->without};
    pack_source(&plan, archive);
    struct kit_order order = {.archive = archive, .platform = row->platform, .spec = row->spec};
    return kit_run(&rows_kit, &order, ret, ret_seen);
}

static void check(size_t at, const struct build_result *r, const struct kit_seen *seen)
{
    const struct row *row = &rows[at];
    rows_expect(r->outcome == BUILD_SUCCEEDED, row->name, "no success");
    rows_expect(strstr(seen->log, row->tools) != NULL, row->name, row->tools);
    if (r->outcome != BUILD_SUCCEEDED)
        return;
    check_bytecode(row);
    check_images(row);
    if (row->words)
        check_words(row);
    rows_expect(seen->bundle_percents >= 2 && seen->falls == 0, row->name, "percents did not rise");
}

static bool is_wanted(size_t at, int argc, char **argv)
{
    const struct row *row = &rows[at];
    bool is_named = argc == 2;
    for (int i = 2; i < argc; i++)
        is_named |= strcmp(argv[i], row->name) == 0 || strcmp(argv[i], row->app) == 0;
    return is_named;
}

static const char *row_name(size_t i)
{
    return rows[i].name;
}

int main(int argc, char **argv)
{
    const struct rows table = {.usage = "APPS_FOLDER [ROW...]",
                               .n = ARRAY_LEN(rows),
                               .workspace_bytes = (uint64_t)WORKSPACE_MIB << 20,
                               .name = row_name,
                               .is_wanted = is_wanted,
                               .build = build,
                               .check = check};
    return rows_main(&table, argc, argv);
}
