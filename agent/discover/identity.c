/*
 * The order of precedence is the table `rules`, read from the top: for each field the first rule
 * that yields acceptable text wins. Rules may look at fields that stand above them (the service's
 * name at the pod's, the version at the image's).
 */
#include "identity.h"

#include <string.h>

#include "attributes.h"
#include "resource_list.h"
#include "service_name.h"

struct context {
    const struct identity_options *options;
    const struct identity_sources *sources;
    struct resource_list resource;
    struct arena *arena;
    struct identity *identity; /* so far */
};

/* The value of an environment variable, in place (the block ends with a zero); NULL if not set. */
static const char *environment_get(const struct identity_sources *sources, const char *name)
{
    size_t length = strlen(name);
    const char *at = sources->environment;
    const char *end = at + sources->environment_size;
    while (at < end) {
        const char *zero = memchr(at, '\0', (size_t)(end - at));
        if (zero == NULL)
            return NULL;
        if ((size_t)(zero - at) > length && at[length] == '=' && memcmp(at, name, length) == 0)
            return at + length + 1;
        at = zero + 1;
    }
    return NULL;
}

/* ----- where values come from; NULL: this source has none ----- */

typedef const char *source_fn(const struct context *context, const char *name);

static const char *from_environment(const struct context *context, const char *name)
{
    return environment_get(context->sources, name);
}

static const char *from_resource(const struct context *context, const char *name)
{
    return resource_list_get(&context->resource, name);
}

static const char *from_flag(const struct context *context, const char *name)
{
    const struct identity_options *options = context->options;
    const struct {
        const char *name, *value;
    } flags[] = {
        {"service", options->service}, {"namespace", options->service_namespace},
        {"version", options->version}, {"environment", options->environment},
        {"host", options->host},
    };
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if (strcmp(flags[i].name, name) == 0)
            return flags[i].value;
    }
    return NULL;
}

static const char *from_version_from(const struct context *context, const char *name)
{
    (void)name;
    const char *from = context->options->version_from;
    if (from == NULL)
        return NULL;
    return strncmp(from, "file:", 5) == 0 ? context->sources->version_text
                                          : environment_get(context->sources, from);
}

/* In a pod the host's name is the pod's. */
static const char *from_pod_host(const struct context *context, const char *name)
{
    return environment_get(context->sources, "KUBERNETES_SERVICE_HOST") == NULL
               ? NULL
               : environment_get(context->sources, name);
}

static int is_generated(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (strchr("bcdfghjklmnpqrstvwxz2456789", text[i]) == NULL || text[i] == '\0')
            return 0; /* the letters that Kubernetes makes names of */
    }
    return 1;
}

/* A pod of a deployment is called "shop-7d9c5b6f4d-x2x9z". */
static const char *from_pod_name(const struct context *context, const char *name)
{
    (void)name;
    const char *pod = context->identity->field[IDENTITY_POD];
    size_t size = strlen(pod);
    const char *last = memrchr(pod, '-', size);
    const char *before = last == NULL ? NULL : memrchr(pod, '-', (size_t)(last - pod));
    if (before == NULL || before == pod)
        return NULL;
    size_t pod_part = size - (size_t)(last + 1 - pod);
    size_t set_part = (size_t)(last - before) - 1;
    if (pod_part != 5 || set_part < 6 || set_part > 10 || !is_generated(last + 1, pod_part) ||
        !is_generated(before + 1, set_part))
        return NULL;
    return arena_strndup(context->arena, pod, (size_t)(before - pod));
}

static const char *from_image_attributes(const struct context *context, const char *name)
{
    const char *image = resource_list_get(&context->resource, name);
    const char *tags = resource_list_get(&context->resource, "container.image.tags");
    if (tags == NULL)
        tags = resource_list_get(&context->resource, "container.image.tag");
    if (image == NULL || tags == NULL || *tags == '\0')
        return image;
    size_t image_size = strlen(image);
    size_t tag_size = strcspn(tags, ",; ");
    char *both = arena_alloc(context->arena, image_size + tag_size + 2);
    if (both == NULL)
        return image;
    memcpy(both, image, image_size);
    both[image_size] = ':';
    memcpy(both + image_size + 1, tags, tag_size);
    both[image_size + 1 + tag_size] = '\0';
    return both;
}

/* "registry:5000/team/shop:1.4@sha256:..." -> name "shop", tag "1.4" */
static const char *from_image(const struct context *context, const char *name)
{
    const char *image = context->identity->field[IDENTITY_IMAGE];
    const char *slash = strrchr(image, '/');
    const char *base = slash == NULL ? image : slash + 1;
    size_t base_size = strcspn(base, ":@");
    if (strcmp(name, "name") == 0)
        return arena_strndup(context->arena, base, base_size);
    if (base[base_size] != ':')
        return NULL;
    const char *tag = base + base_size + 1;
    size_t tag_size = strcspn(tag, "@");
    if (tag_size == 6 && memcmp(tag, "latest", 6) == 0)
        return NULL; /* names no version */
    return arena_strndup(context->arena, tag, tag_size);
}

static const char *from_arguments(const struct context *context, const char *name)
{
    (void)name;
    return service_name_of_arguments(context->sources->arguments, context->sources->arguments_size,
                                     context->arena);
}

static const char *from_group(const struct context *context, const char *name)
{
    (void)name;
    return context->sources->container_id;
}

static const char *from_machine(const struct context *context, const char *name)
{
    (void)name;
    return context->sources->host_name;
}

static const struct rule {
    enum identity_field field;
    source_fn *source;
    const char *name;
} rules[] = {
    {IDENTITY_IMAGE, from_image_attributes, "container.image.name"},
    {IDENTITY_IMAGE, from_environment, "CONTAINER_IMAGE"},
    {IDENTITY_CONTAINER, from_resource, "container.id"},
    {IDENTITY_CONTAINER, from_group, NULL},
    {IDENTITY_POD, from_resource, "k8s.pod.name"},
    {IDENTITY_POD, from_environment, "K8S_POD_NAME"},
    {IDENTITY_POD, from_environment, "POD_NAME"},
    {IDENTITY_POD, from_pod_host, "HOSTNAME"},
    {IDENTITY_HOST, from_flag, "host"},
    {IDENTITY_HOST, from_resource, "host.name"},
    {IDENTITY_HOST, from_resource, "k8s.node.name"},
    {IDENTITY_HOST, from_environment, "K8S_NODE_NAME"},
    {IDENTITY_HOST, from_environment, "NODE_NAME"},
    {IDENTITY_HOST, from_machine, NULL},
    {IDENTITY_NAMESPACE, from_flag, "namespace"},
    {IDENTITY_NAMESPACE, from_resource, "service.namespace"},
    {IDENTITY_NAMESPACE, from_resource, "k8s.namespace.name"},
    {IDENTITY_NAMESPACE, from_environment, "K8S_NAMESPACE_NAME"},
    {IDENTITY_NAMESPACE, from_environment, "K8S_NAMESPACE"},
    {IDENTITY_NAMESPACE, from_environment, "POD_NAMESPACE"},
    {IDENTITY_ENVIRONMENT, from_flag, "environment"},
    {IDENTITY_ENVIRONMENT, from_resource, "deployment.environment.name"},
    {IDENTITY_ENVIRONMENT, from_resource, "deployment.environment"},
    {IDENTITY_ENVIRONMENT, from_environment, "DD_ENV"},
    {IDENTITY_SERVICE, from_flag, "service"},
    {IDENTITY_SERVICE, from_environment, "OTEL_SERVICE_NAME"},
    {IDENTITY_SERVICE, from_resource, "service.name"},
    {IDENTITY_SERVICE, from_environment, "DD_SERVICE"},
    {IDENTITY_SERVICE, from_resource, "k8s.deployment.name"},
    {IDENTITY_SERVICE, from_environment, "K8S_DEPLOYMENT_NAME"},
    {IDENTITY_SERVICE, from_pod_name, NULL},
    {IDENTITY_SERVICE, from_image, "name"},
    {IDENTITY_SERVICE, from_arguments, NULL},
    {IDENTITY_VERSION, from_flag, "version"},
    {IDENTITY_VERSION, from_version_from, NULL},
    {IDENTITY_VERSION, from_resource, "service.version"},
    {IDENTITY_VERSION, from_environment, "DD_VERSION"},
    {IDENTITY_VERSION, from_image, "tag"},
};

/* ----- the rest of the attributes ----- */

static int is_a_field(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (rules[i].source == from_resource && strcmp(rules[i].name, key) == 0)
            return 1;
    }
    return 0;
}

static void add_attribute(struct identity *identity, const char *key, const char *value)
{
    for (size_t i = 0; i < identity->attribute_count; i++) {
        if (strcmp(identity->attributes[i].key, key) == 0)
            return;
    }
    if (identity->attribute_count < IDENTITY_ATTRIBUTES_MAX && *value != '\0') {
        identity->attributes[identity->attribute_count++] =
            (struct identity_attribute){.key = key, .value = value};
    }
}

static void add_attributes(const struct context *context, struct identity *identity)
{
    const struct option_list *own = &context->options->attributes;
    for (int i = 0; i < own->count; i++) {
        const char *equals = strchr(own->items[i], '=');
        ASSERT(equals != NULL); /* identity_check_options */
        const char *key =
            arena_strndup(context->arena, own->items[i], (size_t)(equals - own->items[i]));
        if (key != NULL)
            add_attribute(identity, key, equals + 1);
    }
    for (size_t i = context->resource.count; i > 0; i--) {
        const struct identity_attribute *pair = &context->resource.pairs[i - 1];
        if (!is_a_field(pair->key))
            add_attribute(identity, pair->key, pair->value);
    }
}

/* ----- the whole ----- */

/* Blanks around a value, as a file's last line end has them, do not belong to it. */
static const char *accept(const char *text, struct arena *arena)
{
    size_t size = text == NULL ? 0 : strlen(text);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL)
        size--;
    while (size > 0 && strchr(" \t\r\n", *text) != NULL) {
        text++;
        size--;
    }
    return identity_text_acceptable(text, size) ? arena_strndup(arena, text, size) : NULL;
}

void identity_resolve(const struct identity_options *options,
                      const struct identity_sources *sources, struct arena *arena,
                      struct identity *ret)
{
    struct context context = {
        .options = options, .sources = sources, .arena = arena, .identity = ret};
    const char *list = environment_get(sources, "OTEL_RESOURCE_ATTRIBUTES");
    if (list != NULL && resource_list_parse(list, arena, &context.resource) != STATUS_OK)
        context.resource.count = 0;

    *ret = (struct identity){0};
    for (size_t i = 0; i < IDENTITY_FIELDS; i++)
        ret->field[i] = "";
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        const struct rule *rule = &rules[i];
        if (*ret->field[rule->field] != '\0')
            continue;
        const char *value = accept(rule->source(&context, rule->name), arena);
        if (value != NULL)
            ret->field[rule->field] = value;
    }
    add_attributes(&context, ret);
}

enum status identity_check_options(const struct identity_options *options, struct why *why)
{
    const char *texts[] = {options->service, options->service_namespace, options->environment,
                           options->host,    options->version,           options->version_from};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (texts[i] != NULL && !identity_text_acceptable(texts[i], strlen(texts[i]))) {
            return why_fail(why, STATUS_USAGE,
                            "cannot use \"%s\" as a name: 1 to %d bytes of UTF-8 without control "
                            "characters are wanted",
                            texts[i], IDENTITY_VALUE_BYTES_MAX);
        }
    }
    for (int i = 0; i < options->attributes.count; i++) {
        const char *text = options->attributes.items[i];
        const char *equals = strchr(text, '=');
        if (equals == NULL || equals == text || !identity_text_acceptable(text, strlen(text))) {
            return why_fail(why, STATUS_USAGE,
                            "cannot use \"%s\" as an attribute: key=value is wanted", text);
        }
    }
    return STATUS_OK;
}
