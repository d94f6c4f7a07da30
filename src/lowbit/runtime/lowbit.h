/* Packed networks: opening one, asking what it is, running it. Plain C, without any other library.
 *
 *   lowbit_message message;
 *   lowbit_model* model;
 *   lowbit_session* session;
 *   if (lowbit_open("resnet18.lowbit", "auto", &model, &message) != LOWBIT_OK ||
 *       lowbit_session_open(model, 0, &session, &message) != LOWBIT_OK)
 *     return complain(message.text);
 *   lowbit_run(session, image, 1, logits, &message);
 *   lowbit_session_close(session);
 *   lowbit_close(model);
 *
 * A model never changes: any number of threads may use one. Each thread that runs it has a session
 * of its own, which holds all memory that a run needs: lowbit_run allocates nothing. The result is
 * the same for any number of threads, any kernels and on any machine, bit for bit; every NaN is
 * 0x7fc00000.
 *
 * After fork() the child may use and close the models and sessions of its parent. Their threads
 * exist in the parent only: in the child, the thread that calls lowbit_run does all the work of
 * such a session. A session that the child opens has threads again.
 *
 * Functions that can fail return why, also without memory. `message`, where it is not NULL, says it
 * in words then: one line of UTF-8 without control characters; if it is too long, the middle is
 * left out. */
#ifndef LOWBIT_H
#define LOWBIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LOWBIT_API __attribute__((visibility("default")))
#else
#define LOWBIT_API
#endif

typedef enum lowbit_status {
  LOWBIT_OK = 0,
  LOWBIT_BAD_ARGUMENT = 1, /* the call makes no sense */
  LOWBIT_BAD_FILE = 2,     /* there is no such file, or it is no packed network that can be run */
  LOWBIT_NO_MEMORY = 3,
  LOWBIT_FAILED = 4 /* the system refused something else */
} lowbit_status;

typedef struct lowbit_message {
  char text[512];
} lowbit_message;

typedef struct lowbit_model lowbit_model;
typedef struct lowbit_session lowbit_session;

/* ---- models ---- */

/* Opens a packed file, which is used where it lies: it must not be written to while it is open.
 * kernels: "auto" (the fastest of this machine), an instruction set, such as "portable" or "avx2",
 * or "reference": plain loops, step by step, that all others are compared with. */
LOWBIT_API lowbit_status lowbit_open(const char* path, const char* kernels, lowbit_model** model,
                                     lowbit_message* message);
/* The same of bytes in memory, which are copied. */
LOWBIT_API lowbit_status lowbit_open_bytes(const void* bytes, size_t size, const char* kernels,
                                           lowbit_model** model, lowbit_message* message);
/* After all of its sessions. NULL: nothing. */
LOWBIT_API void lowbit_close(lowbit_model* model);

/* Pointers are good until the model is closed. */
typedef struct lowbit_description {
  int height, width, channels; /* of an image */
  int resize;                  /* a picture's shorter side is resized to this many pixels, then the
                                  center is cut out; 0: it must have the size of the image */
  int classes;
  int steps;
  const char* network; /* for people: "resnet18, lsq 2/2" */
  const char* checked; /* what was compared when the file was written, for people */
  const char* kernels; /* the instruction set in use, or "reference" */
} lowbit_description;

LOWBIT_API void lowbit_describe(const lowbit_model* model, lowbit_description* description);
/* "" where the file names none; NULL if there is no such class. As the data set had it: UTF-8,
 * unless a folder's name was not. */
LOWBIT_API const char* lowbit_class_name(const lowbit_model* model, int index);

typedef enum lowbit_kind { LOWBIT_CODE = 0 /* uint8_t */, LOWBIT_REAL = 1 /* float */ } lowbit_kind;

typedef struct lowbit_value {
  lowbit_kind kind;
  int height, width, channels;
  int levels;            /* codes are below it; 0 of reals */
  size_t bytes;          /* of [height][width][channels] */
  const char* name;      /* of the layer that gives it, as in checkpoints; may be "" */
  const char* operation; /* "image", "CodeConv", "Affine", ... */
  const char* kernel;    /* what computes it: "lookup_6x64_avx2", "elementwise", "spatial",
                            "reference"; "" of
                            the image */
  int group;             /* steps of the same group, whose last one this is, are run together */
} lowbit_value;

/* Value 0 is the image, value i what step i - 1 gives, the last one the logits. Fails only for a
 * number outside of 0..steps. */
LOWBIT_API lowbit_status lowbit_describe_value(const lowbit_model* model, int number,
                                               lowbit_value* value, lowbit_message* message);

/* ---- running ---- */

/* threads: 1 to 1024, or 0: as many as the process has cores, which is also the most that are used.
 * Fewer are used where they would find nothing to do, or where a session would need more than 4
 * GiB. */
LOWBIT_API lowbit_status lowbit_session_open(const lowbit_model* model, int threads,
                                             lowbit_session** session, lowbit_message* message);
/* NULL: nothing. */
LOWBIT_API void lowbit_session_close(lowbit_session* session);
/* Bytes that the session holds for values and scratch. */
LOWBIT_API size_t lowbit_session_bytes(const lowbit_session* session);

/* images: [count][height][width][channels], bytes, red first. logits: [count][classes]. */
LOWBIT_API lowbit_status lowbit_run(lowbit_session* session, const uint8_t* images, int count,
                                    float* logits, lowbit_message* message);

/* Is given the values of one image as soon as they are there; data is good during the call. */
typedef void (*lowbit_visitor)(void* context, int number, const void* data, size_t bytes);

/* lowbit_run for one image; calls visit for each value that comes to stand in memory, in rising
 * order within a group: all values with "reference", otherwise those that are not only a stage
 * between steps of a group, always the codes that a CodeConv reads. */
LOWBIT_API lowbit_status lowbit_run_visiting(lowbit_session* session, const uint8_t* image,
                                             lowbit_visitor visit, void* context, float* logits,
                                             lowbit_message* message);

/* lowbit_run for one image; seconds: [steps], the time of each group at its last step, 0 elsewhere.
 */
LOWBIT_API lowbit_status lowbit_run_timed(lowbit_session* session, const uint8_t* image,
                                          double* seconds, float* logits, lowbit_message* message);

#ifdef __cplusplus
}
#endif

#endif
