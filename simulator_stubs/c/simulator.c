/* The smallest simulator in C: a roofline. Speaks the process protocol (../README.md).
 *
 *     cc -O2 -o simulator simulator.c
 *
 * It finds what it needs by scanning each line for keys, which is enough for one flat design and
 * the loop bounds of layers. A simulator that reads more should take a JSON library.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORKLOADS = 64, KEY_LENGTH = 64 };

struct workload {
    char key[KEY_LENGTH];
    double macs;
};

/* The text after `"key":` at or after `text`, or NULL. */
static const char *after(const char *text, const char *key)
{
    char quoted[KEY_LENGTH];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = text ? strstr(text, quoted) : NULL;
    return found ? found + strlen(quoted) : NULL;
}

static double number(const char *text, const char *key, double otherwise)
{
    const char *value = after(text, key);
    return value ? strtod(value, NULL) : otherwise;
}

/* Copies the string after `"workload":` into `key`; 0 if there is none. */
static int workload_key(const char *line, char key[KEY_LENGTH])
{
    const char *value = after(line, "workload");
    return value && sscanf(value, " \"%63[^\"]\"", key) == 1;
}

/* Multiply-accumulates of all layers: each is a flat object that begins with its name. */
static double count_macs(const char *line)
{
    static const char *const dims[] = {"N", "G", "K", "C", "P", "Q", "R", "S", "count"};
    double total = 0;
    const char *end = after(line, "vector_ops");
    const char *layer = after(after(line, "layers"), "name");
    while (layer && (!end || layer < end)) {
        double macs = 1;
        for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
            macs *= number(layer, dims[i], 1);
        total += macs;
        layer = after(layer, "name");
    }
    return total;
}

int main(void)
{
    struct workload workloads[MOST_WORKLOADS];
    int known = 0;
    char *line = NULL, key[KEY_LENGTH];
    size_t room = 0;

    setvbuf(stdout, NULL, _IOLBF, 0); /* or answers would stay in a buffer for ever */
    puts("{\"accel_dse\": 1, \"simulator\": \"roofline_c\", \"version\": \"1\", "
         "\"metrics\": [\"latency_cycles\", \"area_mm2\"], \"parameters\": [\"pes\"]}");
    while (getline(&line, &room, stdin) > 0) {
        if (!workload_key(line, key))
            continue;
        const char *design = after(line, "design");
        if (!design) { /* a workload, sent once before the first design that it is for */
            struct workload *slot = &workloads[known++ % MOST_WORKLOADS];
            memcpy(slot->key, key, sizeof key);
            slot->macs = count_macs(line);
            continue;
        }
        double macs = -1, pes = number(design, "pes", 0);
        for (int i = 0; i < known && i < MOST_WORKLOADS; i++)
            if (strcmp(workloads[i].key, key) == 0)
                macs = workloads[i].macs;
        printf("{\"id\": %.0f, ", number(line, "id", -1));
        if (macs < 0)
            printf("\"error\": \"unknown workload\"}\n");
        else if (pes < 1)
            printf("\"infeasible\": \"no PEs\"}\n");
        else
            printf("\"metrics\": {\"latency_cycles\": %.17g, \"area_mm2\": %.17g}}\n", macs / pes,
                   0.001 * pes);
    }
    free(line);
    return 0;
}
