#include "container.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "3f5ecafe00112233445566778899aabbccddeeff00112233445566778899aabb"
#define OTHER "aaaacafe00112233445566778899aabbccddeeff00112233445566778899aabb"

struct id_case {
    const char *text, *id;
};

static const struct id_case cgroup_cases[] = {
    {"12:memory:/docker/" ID "\n0::/docker/" ID "\n", ID},
    {"0::/system.slice/docker-" ID ".scope\n", ID},
    {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/"
     "cri-containerd-" ID ".scope\n",
     ID},
    {"11:cpu:/kubepods/besteffort/pod8b2d-11/" ID "\n", ID},
    {"0::/kubepods.slice/crio-" ID ".scope/container\n", ID},
    {"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope", ID},
    {"0::/docker/" OTHER "/docker/" ID "\n", ID},
    {"0::/\n", ""},
    {"", ""},
    {"0::/docker/3f5e\n", ""},
    {"0::/docker/" ID "0\n", ""}, /* 65 digits */
    {"0::/docker/X" ID "\n", ""},
    {"0::/system.slice/docker-" ID "-more\n", ""},
    {"\n\n:::://///-----\n-\n", ""},
};

static void finds_ids_of_every_runtime(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cgroup_cases); i++) {
        size_t size = strlen(cgroup_cases[i].text);
        char *copy = malloc(size + 1); /* no zero behind the text */
        memcpy(copy, cgroup_cases[i].text, size);
        char id[CONTAINER_ID_BYTES];
        container_id_of_cgroup(copy, size, id);
        assert_string_equal(id, cgroup_cases[i].id);
        free(copy);
    }
}

static void finds_ids_in_mounts(void **state)
{
    (void)state;
    static const struct id_case cases[] = {
        {"1 2 8:1 /var/lib/docker/containers/" ID "/hostname /etc/hostname rw", ID},
        {"/containers/short/hostname /x/containers/" ID "/resolv.conf", ID},
        {"/run/containers/storage/overlay-containers/" ID "/userdata/hostname /etc/hostname", ID},
        {"/containers/" ID, ""},
        {"/containers/", ""},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char id[CONTAINER_ID_BYTES];
        container_id_of_mounts(cases[i].text, strlen(cases[i].text), id);
        assert_string_equal(id, cases[i].id);
    }
}

/* ----- memory: a tree like /sys/fs/cgroup in a folder of ours ----- */

struct tree {
    char root[64];
};

static void put(const struct tree *tree, const char *path, const char *content)
{
    char whole[512];
    snprintf(whole, sizeof(whole), "%s/%s", tree->root, path);
    for (char *c = whole + strlen(tree->root) + 1; *c != '\0'; c++) {
        if (*c == '/') {
            *c = '\0';
            (void)mkdir(whole, 0700);
            *c = '/';
        }
    }
    int fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

static int tree_setup(void **state)
{
    struct tree *tree = calloc(1, sizeof(*tree));
    snprintf(tree->root, sizeof(tree->root), "/tmp/container_test.XXXXXX");
    if (mkdtemp(tree->root) == NULL)
        return -1;
    *state = tree;
    return 0;
}

static int tree_teardown(void **state)
{
    struct tree *tree = *state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", tree->root);
    int result = system(command); /* NOLINT(cert-env33-c) */
    free(tree);
    return result;
}

static void find(const struct tree *tree, const char *text, struct container_memory_path *ret)
{
    container_find_memory(text, strlen(text), tree->root, "/nonexistent", ret);
}

static void reads_version_2(void **state)
{
    const struct tree *tree = *state;
    put(tree, "pod/box/memory.current", "5000\n");
    put(tree, "pod/box/memory.max", "max\n");
    put(tree, "pod/box/memory.events", "low 0\nhigh 3\noom 2\noom_kill 7\noom_group_kill 9\n");
    put(tree, "pod/memory.current", "6000\n");
    put(tree, "pod/memory.max", "9000\n");
    struct container_memory_path path;
    find(tree, "0::/pod/box\n", &path);
    assert_int_equal(path.version, 2);
    struct container_memory memory;
    assert_int_equal(container_read_memory(&path, &memory), STATUS_OK);
    assert_int_equal(memory.limit_bytes, 9000); /* of the nearest that has one */
    assert_int_equal(memory.usage_bytes, 6000);
    assert_int_equal(memory.oom_kills, 7);
}

static void reads_version_1(void **state)
{
    const struct tree *tree = *state;
    put(tree, "memory/docker/memory.limit_in_bytes", "9223372036854771712\n");
    put(tree, "memory/docker/box/memory.usage_in_bytes", "5000\n");
    put(tree, "memory/docker/box/memory.limit_in_bytes", "9223372036854771712\n");
    put(tree, "memory/docker/box/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
    struct container_memory_path path;
    find(tree, "9:name=systemd:/x\n4:hugetlb,memory:/docker/box\n0::/x\n", &path);
    assert_int_equal(path.version, 1);
    struct container_memory memory;
    assert_int_equal(container_read_memory(&path, &memory), STATUS_OK);
    assert_int_equal(memory.limit_bytes, 0);
    assert_int_equal(memory.usage_bytes, 5000);
    assert_int_equal(memory.oom_kills, 4);
}

static void looks_through_the_target_when_outside(void **state)
{
    const struct tree *tree = *state;
    put(tree, "memory.current", "1\n");
    put(tree, "target/memory.current", "77\n");
    char target[128];
    snprintf(target, sizeof(target), "%s/target", tree->root);
    struct container_memory_path path;
    static const char text[] = "0::/../other\n";
    container_find_memory(text, sizeof(text) - 1, tree->root, target, &path);
    struct container_memory memory;
    assert_int_equal(container_read_memory(&path, &memory), STATUS_OK);
    assert_int_equal(memory.usage_bytes, 77);
    /* it has ended, and what its pid shows now is somebody else's */
    assert_int_equal(container_read_memory_after(&path, &memory), STATUS_GONE);
    put(tree, "box/memory.current", "78\n");
    find(tree, "0::/box\n", &path);
    assert_int_equal(container_read_memory_after(&path, &memory), STATUS_OK);
    assert_int_equal(memory.usage_bytes, 78);
}

static void nonsense_is_zero(void **state)
{
    const struct tree *tree = *state;
    put(tree, "box/memory.current", "-5 apples\n");
    put(tree, "box/memory.max", "99999999999999999999999\n");
    put(tree, "box/memory.events", "oom_killer 5\noom_kill\noom_kill x\n");
    struct container_memory_path path;
    find(tree, "0::/box\n", &path);
    struct container_memory memory;
    assert_int_equal(container_read_memory(&path, &memory), STATUS_OK);
    assert_int_equal(memory.usage_bytes, 0);
    assert_int_equal(memory.limit_bytes, 0);
    assert_int_equal(memory.oom_kills, 0);
}

static void a_removed_group_is_gone(void **state)
{
    const struct tree *tree = *state;
    struct container_memory_path path = {.version = 2, .root_length = strlen(tree->root)};
    snprintf(path.path, sizeof(path.path), "%s/gone", tree->root);
    struct container_memory memory;
    assert_int_equal(container_read_memory(&path, &memory), STATUS_GONE);
    path.version = 0;
    assert_int_equal(container_read_memory(&path, &memory), STATUS_NOT_FOUND);
}

static void paths_are_bounded(void **state)
{
    const struct tree *tree = *state;
    char text[8192] = "0::/";
    memset(text + 4, 'a', sizeof(text) - 5);
    struct container_memory_path path;
    container_find_memory(text, sizeof(text) - 1, tree->root, "/nonexistent", &path);
    assert_int_equal(path.version, 0);
    static const char zero[] = "0::/a\0b\n";
    container_find_memory(zero, sizeof(zero) - 1, tree->root, "/nonexistent", &path);
    assert_int_equal(path.version, 0);
}

int main(void)
{
#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_ids_of_every_runtime),
        cmocka_unit_test(finds_ids_in_mounts),
        IN_TREE(reads_version_2),
        IN_TREE(reads_version_1),
        IN_TREE(looks_through_the_target_when_outside),
        IN_TREE(nonsense_is_zero),
        IN_TREE(a_removed_group_is_gone),
        IN_TREE(paths_are_bounded),
    };
#undef IN_TREE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
