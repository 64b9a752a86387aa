#include "alert_post.h"

#include <curl/curl.h>
#include <string.h>

#include "utf8.h"
#include "version.h"

enum { ANSWER_BYTES_MAX = 200, HEADER_MS = 5000 };

enum status alert_check_url(const char *url, struct why *why)
{
    CURLU *parsed = curl_url();
    char *scheme = NULL;
    ASSERT(parsed != NULL);
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0);
    int is_http =
        code == CURLUE_OK && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_url_cleanup(parsed);
    if (is_http)
        return STATUS_OK;
    return why_fail(why, STATUS_USAGE, "'%s' is not a URL such as https://host:port/path", url);
}

/* The beginning of what the receiver says; the rest is let go. */
static size_t take_answer(char *data, size_t size, size_t count, void *user)
{
    struct buf *answer = user;
    size_t room = ANSWER_BYTES_MAX - answer->size;
    buf_append(answer, data, size * count < room ? size * count : room);
    return size * count;
}

static struct curl_slist *make_headers(const char *const *headers, size_t count)
{
    /* no "Expect: 100-continue": it costs a second with receivers that do not know it */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    list = curl_slist_append(list, "Content-Type: application/json");
    for (size_t i = 0; i < count; i++)
        list = curl_slist_append(list, headers[i]);
    ASSERT(list != NULL);
    return list;
}

static void set_options(CURL *curl, const char *url, struct curl_slist *headers,
                        const struct buf *body, struct buf *answer)
{
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ALERT_POST_MS);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)HEADER_MS);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "heapfleet-collector/" HEAPFLEET_VERSION);
    (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)body->data);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
}

static enum status judge_answer(long code, struct buf *answer, struct why *why)
{
    if (code >= 200 && code < 300)
        return STATUS_OK;
    char *text = (char *)answer->data;
    size_t size = 0;
    while (size < answer->size && text[size] != '\r' && text[size] != '\n')
        size++;
    utf8_scrub(text, size);
    return why_fail(why, STATUS_FAILED, "it answered %ld%s%.*s", code, size > 0 ? ": " : "",
                    (int)size, size > 0 ? text : "");
}

enum status alert_post(const char *url, const char *const *headers, size_t header_count,
                       const struct buf *body, struct why *why)
{
    CURL *curl = curl_easy_init();
    struct buf answer = BUF_INIT;
    long code = 0;
    ASSERT(curl != NULL);
    struct curl_slist *list = make_headers(headers, header_count);
    set_options(curl, url, list, body, &answer);
    CURLcode done = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    enum status status = STATUS_OK;
    if (done != CURLE_OK && code == 0) /* with a code, what is missing is only the answer's end */
        status = why_fail(why, STATUS_UNAVAILABLE, "%s", curl_easy_strerror(done));
    else
        status = judge_answer(code, &answer, why);
    buf_done(&answer);
    curl_slist_free_all(list);
    curl_easy_cleanup(curl);
    return status;
}
