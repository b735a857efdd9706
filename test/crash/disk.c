/*
 * disk.c - the disk itself: nodes, operations, and what a power cut leaves of them; see disk.h.
 *
 * Promises: as disk.h. Each file holds its bytes twice, as readers see them and as they are durable.
 * Does not: know libc (calls.c) or who uses it; does not: survive without memory.
 */
#include "disk_inside.h"
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A test without memory has nothing to say. */
static void *must(void *memory)
{
    if (memory == NULL) {
        (void)fprintf(stderr, "disk: no memory\n");
        abort();
    }
    return memory;
}

uint64_t disk_mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b * 0x9e3779b97f4a7c15u)) + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* ---- bytes and names ---- */

struct disk_bytes *disk_bytes_new(const void *bytes, size_t len)
{
    struct disk_bytes *made = must(memory_own_malloc(sizeof(*made) + len));
    made->users = 1;
    made->len = len;
    if (len > 0) {
        memcpy(made->bytes, bytes, len);
    }
    return made;
}

static struct disk_bytes *share(struct disk_bytes *bytes)
{
    if (bytes != NULL) {
        bytes->users++;
    }
    return bytes;
}

void disk_bytes_drop(struct disk_bytes *bytes)
{
    if (bytes != NULL && --bytes->users == 0) {
        free(bytes);
    }
}

static void drop_blob(struct disk_blob *blob)
{
    if (blob->users != NULL && --*blob->users == 0) {
        free(blob->bytes);
        free(blob->users);
    }
    *blob = (struct disk_blob){0};
}

/* The blob's bytes are its own, with room for so many. */
static void own_blob(struct disk_blob *blob, size_t size)
{
    bool shared = blob->users != NULL && *blob->users > 1;
    if (!shared && size <= blob->cap) {
        return;
    }
    size_t cap = blob->cap < 8192 ? 8192 : blob->cap;
    while (cap < size) {
        cap *= 2;
    }
    struct disk_blob own = {must(memory_own_malloc(cap)), blob->len, cap, must(memory_own_malloc(sizeof(*own.users)))};
    *own.users = 1;
    if (blob->len > 0) {
        memcpy(own.bytes, blob->bytes, blob->len);
    }
    drop_blob(blob);
    *blob = own;
}

void disk_set_size(struct disk_blob *blob, uint64_t size)
{
    own_blob(blob, size);
    if (size > blob->len) {
        memset(blob->bytes + blob->len, 0, size - blob->len);
    }
    blob->len = size;
}

void disk_set_blob(struct disk_blob *blob, uint64_t at, const uint8_t *bytes, size_t len)
{
    disk_set_size(blob, at + len > blob->len ? at + len : blob->len);
    if (len > 0) {
        memcpy(blob->bytes + at, bytes, len);
    }
}

/* Shared until one of the two changes. */
static void copy_blob(struct disk_blob *to, const struct disk_blob *from)
{
    struct disk_blob copy = *from;
    if (copy.users != NULL) {
        ++*copy.users;
    }
    drop_blob(to);
    *to = copy;
}

static bool same_blob(const struct disk_blob *a, const struct disk_blob *b)
{
    return a->len == b->len && (a->len == 0 || a->bytes == b->bytes || memcmp(a->bytes, b->bytes, a->len) == 0);
}

/* node 0 removes the name. */
static void set_name(struct disk_names *names, const char *name, uint32_t node)
{
    size_t i = 0;
    while (i < names->count && strcmp(names->names[i].name, name) != 0) {
        i++;
    }
    if (node == 0) {
        if (i < names->count) {
            names->names[i] = names->names[--names->count];
        }
        return;
    }
    if (i == names->cap) {
        names->cap = names->cap == 0 ? 16 : names->cap * 2;
        names->names = must(memory_own_realloc(names->names, names->cap * sizeof(*names->names)));
    }
    if (i == names->count) {
        (void)snprintf(names->names[i].name, DISK_NAME_BYTES, "%s", name);
        names->count++;
    }
    names->names[i].node = node;
}

static uint32_t get_name(const struct disk_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i].name, name) == 0) {
            return names->names[i].node;
        }
    }
    return 0;
}

static void copy_names(struct disk_names *to, const struct disk_names *from)
{
    to->count = 0;
    for (size_t i = 0; i < from->count; i++) {
        set_name(to, from->names[i].name, from->names[i].node);
    }
}

/* ---- nodes ---- */

struct disk_node *disk_node(const struct disk *disk, uint32_t number)
{
    return disk->nodes[number];
}

uint32_t disk_find(const struct disk *disk, uint32_t folder, const char *name)
{
    return get_name(&disk->nodes[folder]->seen_names, name);
}

static uint32_t add_node(struct disk *disk, bool folder)
{
    if (disk->count == disk->cap) {
        disk->cap = disk->cap == 0 ? 64 : disk->cap * 2;
        disk->nodes = must(memory_own_realloc(disk->nodes, disk->cap * sizeof(*disk->nodes)));
    }
    struct disk_node *node = must(memory_own_calloc(1, sizeof(*node)));
    node->folder = folder;
    node->mode = folder ? 0700 : 0600;
    disk->nodes[disk->count] = node;
    return disk->count++;
}

static void forget_unsynced(struct disk_node *node)
{
    for (size_t i = 0; i < node->unsynced_count; i++) {
        disk_bytes_drop(node->unsynced[i].data);
    }
    node->unsynced_count = 0;
}

static void free_node(struct disk_node *node)
{
    if (node == NULL) {
        return;
    }
    forget_unsynced(node);
    free(node->unsynced);
    drop_blob(&node->seen);
    drop_blob(&node->durable);
    free(node->seen_names.names);
    free(node->durable_names.names);
    free(node);
}

struct disk *disk_new(void)
{
    struct disk *disk = must(memory_own_calloc(1, sizeof(*disk)));
    disk->count = DISK_ROOT_NODE;
    disk->cap = 64;
    disk->nodes = must(memory_own_calloc(disk->cap, sizeof(*disk->nodes)));
    (void)add_node(disk, true);
    return disk;
}

static struct disk_node *clone_node(const struct disk_node *from)
{
    struct disk_node *node = must(memory_own_calloc(1, sizeof(*node)));
    node->folder = from->folder;
    node->scratch = from->scratch;
    node->mode = from->mode;
    copy_blob(&node->seen, &from->seen);
    copy_blob(&node->durable, &from->durable);
    copy_names(&node->seen_names, &from->seen_names);
    copy_names(&node->durable_names, &from->durable_names);
    if (from->unsynced_count > 0) {
        node->unsynced = must(memory_own_malloc(from->unsynced_count * sizeof(*node->unsynced)));
        memcpy(node->unsynced, from->unsynced, from->unsynced_count * sizeof(*node->unsynced));
        node->unsynced_count = node->unsynced_cap = from->unsynced_count;
        for (size_t i = 0; i < node->unsynced_count; i++) {
            (void)share(node->unsynced[i].data);
        }
    }
    return node;
}

struct disk *disk_clone(const struct disk *disk)
{
    struct disk *copy = must(memory_own_calloc(1, sizeof(*copy)));
    copy->count = copy->cap = disk->count;
    copy->serial = disk->serial;
    copy->nodes = must(memory_own_calloc(copy->cap, sizeof(*copy->nodes)));
    for (uint32_t i = DISK_ROOT_NODE; i < disk->count; i++) {
        copy->nodes[i] = disk->nodes[i] == NULL ? NULL : clone_node(disk->nodes[i]);
    }
    return copy;
}

void disk_free(struct disk *disk)
{
    if (disk == NULL) {
        return;
    }
    for (uint32_t i = DISK_ROOT_NODE; i < disk->count; i++) {
        free_node(disk->nodes[i]);
    }
    free(disk->nodes);
    free(disk);
}

/* ---- operations ---- */

static struct disk_unsynced *add_unsynced(struct disk_node *node, uint64_t serial)
{
    if (node->unsynced_count == node->unsynced_cap) {
        node->unsynced_cap = node->unsynced_cap == 0 ? 16 : node->unsynced_cap * 2;
        node->unsynced = must(memory_own_realloc(node->unsynced, node->unsynced_cap * sizeof(*node->unsynced)));
    }
    struct disk_unsynced *one = &node->unsynced[node->unsynced_count++];
    memset(one, 0, sizeof(*one));
    one->serial = serial;
    return one;
}

static void change_name(struct disk_node *folder, const char *name, uint32_t node, uint64_t serial)
{
    struct disk_unsynced *one = add_unsynced(folder, serial);
    one->node = node;
    (void)snprintf(one->name, sizeof(one->name), "%s", name);
    set_name(&folder->seen_names, name, node);
}

/* What was unsynced becomes durable; of a write the bytes from `from` to `to`. */
static void settle(struct disk_node *node, const struct disk_unsynced *one, size_t from, size_t to)
{
    if (node->folder) {
        set_name(&node->durable_names, one->name, one->node);
    } else if (one->data == NULL) {
        disk_set_size(&node->durable, one->at);
    } else {
        disk_set_blob(&node->durable, one->at + from, one->data->bytes + from, to - from);
    }
}

static void settle_all(struct disk_node *node)
{
    for (size_t i = 0; i < node->unsynced_count; i++) {
        const struct disk_unsynced *one = &node->unsynced[i];
        settle(node, one, 0, one->data == NULL ? 0 : one->data->len);
    }
    forget_unsynced(node);
}

static void see_durable(struct disk_node *node)
{
    if (node->folder) {
        copy_names(&node->seen_names, &node->durable_names);
    } else {
        copy_blob(&node->seen, &node->durable);
    }
}

/* seed 0: all is lost. */
static void lose(struct disk_node *node, uint64_t seed, bool back)
{
    for (size_t i = 0; seed != 0 && i < node->unsynced_count; i++) {
        const struct disk_unsynced *one = &node->unsynced[i];
        if ((disk_mix(seed, one->serial) & 1) != 0) {
            settle(node, one, 0, one->data == NULL ? 0 : one->data->len);
        }
    }
    forget_unsynced(node);
    if (back) {
        see_durable(node);
    }
}

static void write_node(struct disk_node *node, const struct disk_op *op, uint64_t serial)
{
    disk_set_blob(&node->seen, op->at, op->data->bytes, op->data->len);
    if (!node->scratch) {
        struct disk_unsynced *one = add_unsynced(node, serial);
        one->at = op->at;
        one->data = share(op->data);
    }
}

static void resize_node(struct disk_node *node, uint64_t size, uint64_t serial)
{
    disk_set_size(&node->seen, size);
    if (!node->scratch) {
        add_unsynced(node, serial)->at = size;
    }
}

static bool is_scratch(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, "-shm") == 0;
}

void disk_apply(struct disk *disk, const struct disk_op *op)
{
    uint64_t serial = ++disk->serial;
    struct disk_node *node = disk->nodes[op->node];
    uint32_t made;
    switch (op->kind) {
    case DISK_MAKE:
    case DISK_MAKE_FOLDER:
        made = add_node(disk, op->kind == DISK_MAKE_FOLDER);
        disk->nodes[made]->scratch = is_scratch(op->name);
        change_name(node, op->name, made, serial);
        break;
    case DISK_WRITE:
        write_node(node, op, serial);
        break;
    case DISK_RESIZE:
        resize_node(node, op->at, serial);
        break;
    case DISK_SYNC:
        settle_all(node);
        break;
    case DISK_NAME:
        change_name(node, op->name, op->target, serial);
        break;
    case DISK_UNNAME:
        change_name(node, op->name, 0, serial);
        break;
    case DISK_RENAME:
        made = get_name(&node->seen_names, op->name);
        change_name(node, op->name, 0, serial);
        change_name(disk->nodes[op->target], op->to, made, serial);
        break;
    case DISK_LOSE:
        lose(node, op->at, op->back);
        break;
    }
}

void disk_log_free(struct disk_log *log)
{
    for (size_t i = 0; i < log->count; i++) {
        disk_bytes_drop(log->ops[i].data);
    }
    free(log->ops);
    memset(log, 0, sizeof(*log));
}

/* ---- the power goes ---- */

static uint64_t last_write(const struct disk *disk)
{
    uint64_t last = 0;
    for (uint32_t i = DISK_ROOT_NODE; i < disk->count; i++) {
        const struct disk_node *node = disk->nodes[i];
        for (size_t j = 0; node != NULL && j < node->unsynced_count; j++) {
            if (node->unsynced[j].data != NULL && node->unsynced[j].serial > last) {
                last = node->unsynced[j].serial;
            }
        }
    }
    return last;
}

static uint64_t first_unsynced(const struct disk *disk)
{
    uint64_t first = UINT64_MAX;
    for (uint32_t i = DISK_ROOT_NODE; i < disk->count; i++) {
        const struct disk_node *node = disk->nodes[i];
        if (node != NULL && node->unsynced_count > 0 && node->unsynced[0].serial < first) {
            first = node->unsynced[0].serial;
        }
    }
    return first;
}

static bool is_kept(enum disk_keep keep, uint64_t seed, uint64_t serial, uint64_t first, uint64_t last)
{
    static const unsigned often[] = {16, 64, 128, 192, 240}; /* of 256: seeds that lose most to seeds that keep most */
    switch (keep) {
    case DISK_KEEP_NONE:
        return false;
    case DISK_KEEP_ALL:
        return true;
    case DISK_KEEP_SOME:
        return disk_mix(seed, serial) % 256 < often[disk_mix(seed, 0) % 5];
    case DISK_KEEP_FIRST:
        return last < first || serial <= first + disk_mix(seed, 1) % (last - first + 1);
    }
    return false;
}

/* Of a kept write, sector by sector or page by page, what reached the disk. */
static void settle_in_pieces(struct disk_node *node, const struct disk_unsynced *one, uint64_t draw)
{
    size_t piece = draw % 2 == 0 ? 512 : 4096, len = one->data->len;
    for (size_t from = 0, to; from < len; from = to) {
        to = from + piece - (one->at + from) % piece;
        to = to < len ? to : len;
        if (disk_mix(draw, from) % 2 == 0) {
            settle(node, one, from, to);
        }
    }
}

static void cut_node(struct disk_node *node, const struct disk_cut *cut, uint64_t first, uint64_t last, uint64_t torn)
{
    enum disk_keep keep = node->folder ? cut->names : cut->bytes;
    for (size_t i = 0; i < node->unsynced_count; i++) {
        const struct disk_unsynced *one = &node->unsynced[i];
        if (!is_kept(keep, cut->seed, one->serial, first, last)) {
            continue;
        }
        size_t len = one->data == NULL ? 0 : one->data->len;
        size_t from = 0, to = len;
        uint64_t draw = disk_mix(cut->seed + 77, one->serial);
        if (cut->torn && one->serial == torn) {
            from = cut->seed % 2 == 0 ? 0 : len / 2;
            to = cut->seed % 2 == 0 ? len / 2 : len;
        } else if (keep == DISK_KEEP_SOME && len > 0 && draw % 8 == 0) {
            size_t middle = (draw >> 8) % (len + 1);
            from = (draw >> 4) % 2 == 0 ? 0 : middle;
            to = (draw >> 4) % 2 == 0 ? middle : len;
        } else if (keep == DISK_KEEP_SOME && len > 0 && draw % 8 == 1) {
            settle_in_pieces(node, one, draw >> 8);
            continue;
        }
        settle(node, one, from, to);
    }
    forget_unsynced(node);
    see_durable(node);
}

static void mark_reached(const struct disk *disk, uint32_t number, bool *reached)
{
    if (reached[number]) {
        return;
    }
    reached[number] = true;
    const struct disk_names *names = &disk->nodes[number]->seen_names;
    for (size_t i = 0; i < names->count; i++) {
        mark_reached(disk, names->names[i].node, reached);
    }
}

void disk_cut(struct disk *disk, const struct disk_cut *cut)
{
    uint64_t first = first_unsynced(disk), last = disk->serial, torn = last_write(disk);
    for (uint32_t i = DISK_ROOT_NODE; i < disk->count; i++) {
        if (disk->nodes[i] != NULL) {
            cut_node(disk->nodes[i], cut, first, last, torn);
        }
    }
    bool *reached = must(memory_own_calloc(disk->count, sizeof(*reached)));
    mark_reached(disk, DISK_ROOT_NODE, reached);
    for (uint32_t i = DISK_ROOT_NODE; i < disk->count; i++) {
        if (!reached[i]) {
            free_node(disk->nodes[i]);
            disk->nodes[i] = NULL;
        }
    }
    free(reached);
}

bool disk_is_folder(const struct disk *disk, uint32_t node)
{
    return disk->nodes[node]->folder;
}

bool disk_is_settled(const struct disk *disk)
{
    for (uint32_t i = DISK_ROOT_NODE; i < disk->count; i++) {
        const struct disk_node *node = disk->nodes[i];
        if (node != NULL && !node->scratch &&
            (node->unsynced_count > 0 || (!node->folder && !same_blob(&node->seen, &node->durable)))) {
            return false;
        }
    }
    return true;
}

/* ---- looking at it ---- */

static uint64_t digest_bytes(const uint8_t *bytes, size_t len, uint64_t sum)
{
    uint64_t word = 0;
    size_t i = 0;
    for (; i + sizeof(word) <= len; i += sizeof(word)) {
        memcpy(&word, bytes + i, sizeof(word));
        sum = (sum ^ word) * 0x9fb21c651e98df25u;
        sum ^= sum >> 32;
    }
    word = len;
    for (; i < len; i++) {
        word = word * 256 + bytes[i];
    }
    return disk_mix(sum, word);
}

static uint64_t digest_node(const struct disk *disk, uint32_t number)
{
    const struct disk_node *node = disk->nodes[number];
    uint64_t sum = 0;
    if (!node->folder) {
        return node->scratch ? 1 : digest_bytes(node->seen.bytes, node->seen.len, node->mode);
    }
    for (size_t i = 0; i < node->seen_names.count; i++) { /* in no order */
        const struct disk_name *name = &node->seen_names.names[i];
        uint64_t own = digest_bytes((const uint8_t *)name->name, strlen(name->name), 7);
        sum += disk_mix(own, digest_node(disk, name->node));
    }
    return sum;
}

uint64_t disk_digest(const struct disk *disk)
{
    return digest_node(disk, DISK_ROOT_NODE);
}

void disk_list(const struct disk *disk, const char *path, void (*each)(void *user, const char *name), void *user)
{
    uint32_t at = DISK_ROOT_NODE;
    char part[DISK_NAME_BYTES];
    while (at != 0 && *path != '\0') {
        size_t len = strcspn(path, "/");
        (void)snprintf(part, sizeof(part), "%.*s", (int)len, path);
        at = len == 0 ? at : disk_find(disk, at, part);
        path += len + (path[len] == '/');
    }
    const struct disk_names *names = at == 0 ? NULL : &disk->nodes[at]->seen_names;
    for (size_t i = 0; names != NULL && i < names->count; i++) {
        each(user, names->names[i].name);
    }
}

void disk_say(const struct disk *disk, const struct disk_op *op, char *to, size_t len)
{
    static const char *const kinds[] = {"",     "make", "make folder", "write",  "resize",
                                        "sync", "name", "remove",      "rename", "lose"};
    const char *name = op->name;
    for (uint32_t i = DISK_ROOT_NODE; *name == '\0' && i < disk->count; i++) {
        const struct disk_node *folder = disk->nodes[i];
        for (size_t j = 0; folder != NULL && j < folder->seen_names.count; j++) {
            name = folder->seen_names.names[j].node == op->node ? folder->seen_names.names[j].name : name;
        }
    }
    (void)snprintf(to, len, "%s %s at %ju", kinds[op->kind], *name == '\0' ? "a file without a name" : name,
                   (uintmax_t)op->at);
}
