/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A bounded queue of events that have been received and not been taken yet. It
 * also holds the places where events were lost, so that a reader learns of a
 * loss after the events before it and before those after it.
 */
#ifndef VPMEM_EVENT_H
#define VPMEM_EVENT_H

#include <stdbool.h>

#include <vpmem/vpmem.h>

#define VPMEM_EVENT_QUEUE_SIZE	256

/**
 * struct vpmem_event_queue - Events in the order of their arrival.
 * @slots: ring; a slot with is_loss stands for any number of lost events
 * @head: slot of the oldest
 * @count: slots in use; the last free one is kept for a loss
 */
struct vpmem_event_queue {
	struct {
		bool is_loss;
		struct vpmem_event event;
	} slots[VPMEM_EVENT_QUEUE_SIZE];
	unsigned int head;
	unsigned int count;
};

/** vpmem_event_push() - Append an event, or a loss if the queue is full. */
void vpmem_event_push(struct vpmem_event_queue *queue,
		      const struct vpmem_event *event);

/** vpmem_event_push_loss() - Append that events were lost. */
void vpmem_event_push_loss(struct vpmem_event_queue *queue);

/**
 * vpmem_event_pop() - Take the oldest.
 *
 * Return: 0; -ENOBUFS if events were lost here; -EAGAIN if the queue is empty.
 */
int vpmem_event_pop(struct vpmem_event_queue *queue, struct vpmem_event *event);

#endif /* VPMEM_EVENT_H */
