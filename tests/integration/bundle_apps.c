/* bundle_apps.c: the kinds of apps that people have, each built for both platforms by the real
 * pipeline: the oldest React Native that is supported, the newest, and Expo. What comes out must be
 * bytecode of the version that the app's own React Native reads, made with the app's own tools on
 * the Node that its `engines` ask for, with the images where the platform looks for them.
 *
 * Needs several versions of Node (scripts/setup --node). Prints each build with its times.
 *
 *   bundle_apps APPS_FOLDER [ROW...] */
#undef NDEBUG
#include "bundle_kit.h"
#include "bundle_pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <base/auto.h>
#include <base/exit.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WORKSPACE_MIB = 3072, IMAGES_MAX = 3 };

static const uint64_t bytecode_magic = 0x1f1903c103bc1fc6;

static const struct row {
    const char *name, *app, *platform;
    uint32_t bytecode_version;
    const char *tools;             /* what the log must say of them */
    const char *image[IMAGES_MAX]; /* in the assets archive */
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
};

static struct kit kit;
static unsigned failures;

static void expect(bool holds, const char *row, const char *what)
{
    if (holds)
        return;
    failures++;
    printf("FAILED %s: %s\n", row, what);
}

static void check_bytecode(const struct row *row)
{
    struct {
        uint64_t magic;
        uint32_t version;
    } header = {0};
    char path[KIT_PATH_MAX];
    kit_object(&kit, ROTA__OBJECT_KIND__BUNDLE, path);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    expect(fd >= 0 && read(fd, &header, sizeof header) == (ssize_t)sizeof header &&
               header.magic == bytecode_magic,
           row->name, "the bundle is no bytecode");
    printf("%s: bytecode version %u\n", row->name, header.version);
    expect(header.version == row->bytecode_version, row->name, "another bytecode version");
}

static void check_images(const struct row *row)
{
    char path[KIT_PATH_MAX];
    bool has[IMAGES_MAX] = {0};
    struct archive_entry *entry;
    struct archive *in = archive_read_new();
    kit_object(&kit, ROTA__OBJECT_KIND__ASSETS, path);
    assert(in && archive_read_support_filter_gzip(in) == ARCHIVE_OK &&
           archive_read_support_format_tar(in) == ARCHIVE_OK);
    assert(archive_read_open_filename(in, path, 1 << 16) == ARCHIVE_OK);
    while (archive_read_next_header(in, &entry) == ARCHIVE_OK)
        for (size_t i = 0; i < IMAGES_MAX; i++)
            has[i] |= row->image[i] && strcmp(archive_entry_pathname(entry), row->image[i]) == 0;
    assert(archive_read_free(in) == ARCHIVE_OK);
    for (size_t i = 0; i < IMAGES_MAX; i++)
        expect(has[i] || !row->image[i], row->name, row->image[i]);
}

static void row_run(const struct row *row, const char *apps)
{
    static struct build_result result;
    static struct kit_seen seen;
    char archive[KIT_PATH_MAX];
    const char *const layers[] = {row->app};
    unsigned before = failures;
    snprintf(archive, sizeof archive, "%.400s/source.tar.gz", kit.folder);
    pack_source(&(struct pack_plan){.top = apps, .layers = layers, .layers_n = 1}, archive);
    struct kit_order order = {.archive = archive, .platform = row->platform};
    int fault = kit_run(&kit, &order, &result, &seen);
    kit_print(row->name, &result, &seen);
    expect(fault == 0 && result.outcome == BUILD_SUCCEEDED, row->name, "no success");
    expect(strstr(seen.log, row->tools) != NULL, row->name, row->tools);
    expect(kit_leftovers() == 0, row->name, "something is left");
    if (result.outcome == BUILD_SUCCEEDED) {
        check_bytecode(row);
        check_images(row);
        expect(seen.bundle_percents >= 2 && seen.falls == 0, row->name, "percents did not rise");
    }
    if (failures != before)
        printf("%s\n", seen.log);
}

static bool is_wanted(const struct row *row, int argc, char **argv)
{
    bool is_named = argc == 2;
    for (int i = 2; i < argc; i++)
        is_named |= strcmp(argv[i], row->name) == 0 || strcmp(argv[i], row->app) == 0;
    return is_named;
}

int main(int argc, char **argv)
{
    unsigned run = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: bundle_apps APPS_FOLDER [ROW...]\n");
        return EXIT_USAGE;
    }
    kit_open(&kit, (uint64_t)WORKSPACE_MIB << 20);
    printf("%s\n", kit.said);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (is_wanted(&rows[i], argc, argv)) {
            row_run(&rows[i], argv[1]);
            run++;
        }
    kit_close(&kit);
    printf("%u builds, %u failures\n", run, failures);
    return run > 0 && failures == 0 ? EXIT_OK : EXIT_JOB_FAILED;
}
