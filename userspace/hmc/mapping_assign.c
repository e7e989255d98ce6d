// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One of its candidates for each adapter, so that all fit together.
 *
 * A search with a limited number of steps: what a description says does not decide how
 * long a validation takes.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/mapping.h"

#define MAX_STEPS	5000		/* beside one for each adapter */

/**
 * struct search - a search under way
 * @clients: @count: the adapters
 * @order:	in which order they are given theirs, those with the least choice first
 * @layout:	what is wanted of it
 * @steps:	that are left
 */
struct search {
	struct client *clients;
	size_t count;
	size_t *order;
	enum layout layout;
	int steps;
};

static const struct candidate *chosen(const struct client *client)
{
	return client->choice < 0 ? NULL : &client->candidates[client->choice];
}

static bool same_source(const struct client *a, const struct client *b)
{
	return !strcmp(a->source_name, b->source_name);
}

/* May two adapters of one type have these two hosts? */
static bool layout_permits(enum layout layout, const struct client *a, size_t host_a,
			   const struct client *b, size_t host_b)
{
	if (layout == LAYOUT_ONE)
		return host_a == host_b;
	if (layout == LAYOUT_ANY || strcmp(a->type, b->type) || !strcmp(a->type, "vnic"))
		return true;
	return same_source(a, b) || host_a != host_b;
}

/* Beside what the others have been given */
static bool fits(const struct search *search, size_t number, const struct candidate *candidate)
{
	const struct client *client = &search->clients[number];
	int64_t slots = candidate->slots, room = candidate->room;

	for (size_t i = 0; i < search->count; i++) {
		const struct client *other = &search->clients[i];
		const struct candidate *taken = i == number ? NULL : chosen(other);

		if (!taken)
			continue;
		if (!layout_permits(search->layout, client, candidate->host, other, taken->host))
			return false;
		if (taken->host != candidate->host)
			continue;
		slots--;
		if (candidate->port && taken->port == candidate->port)
			room--;
		if (client->slot && client->slot == other->slot)
			return false;
	}
	return slots > 0 && room > 0;
}

/*
 * The lower, the better: nothing speaks against it; the VIOS that has the others of the
 * same VIOS; the one, and then the port, with the fewest adapters.
 */
static int64_t cost(const struct search *search, size_t number,
		    const struct candidate *candidate)
{
	const struct client *client = &search->clients[number];
	int64_t load = candidate->load, port_load = 0, stranger = 0;

	for (size_t i = 0; i < search->count; i++) {
		const struct candidate *taken = chosen(&search->clients[i]);

		if (!taken)
			continue;
		if (taken->host == candidate->host)
			load++;
		else if (same_source(client, &search->clients[i]))
			stranger = 1;
		if (candidate->port && taken->port == candidate->port)
			port_load++;
	}
	/* Numbers of adapters are far below 2^20 */
	return ((candidate->penalty * 2 + stranger) << 40) + (load << 20) + port_load -
	       min(candidate->room, (int64_t)1 << 19);
}

/* The cheapest that fits and was not tried; -1: none */
static long next_choice(const struct search *search, size_t number, const bool *tried)
{
	const struct client *client = &search->clients[number];
	int64_t least = INT64_MAX;
	long best = -1;

	for (size_t i = 0; i < client->count; i++) {
		const struct candidate *candidate = &client->candidates[i];
		int64_t is;

		if (tried[i] || !fits(search, number, candidate))
			continue;
		is = cost(search, number, candidate);
		if (is < least) {
			least = is;
			best = (long)i;
		}
	}
	return best;
}

static bool search_from(struct search *search, size_t depth)
{
	struct client *client;
	bool done = false;
	bool *tried;
	long choice;

	if (depth == search->count)
		return true;
	client = &search->clients[search->order[depth]];
	if (!client->count)	/* it has its message */
		return search_from(search, depth + 1);
	tried = calloc(client->count, sizeof(*tried));
	while (tried && !done && search->steps > 0) {
		search->steps--;
		choice = next_choice(search, search->order[depth], tried);
		if (choice < 0)
			break;
		tried[choice] = true;
		client->choice = choice;
		done = search_from(search, depth + 1);
		if (!done)
			client->choice = -1;
	}
	free(tried);
	return done;
}

/* Those with the least choice first, otherwise as they are */
static size_t *make_order(const struct client *clients, size_t count)
{
	size_t *order = calloc(count + 1, sizeof(*order));

	for (size_t i = 0; order && i < count; i++) {
		size_t j = i;

		for (; j && clients[order[j - 1]].count > clients[i].count; j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
	return order;
}

static void forget_choices(struct client *clients, size_t count)
{
	for (size_t i = 0; i < count; i++)
		clients[i].choice = -1;
}

/**
 * assign() - choose a candidate for each adapter
 * @clients:	the adapters; their choices are set
 * @count:	how many
 * @layout:	what is wanted of it
 *
 * Return: was there a choice in which all that have candidates fit?
 */
bool assign(struct client *clients, size_t count, enum layout layout)
{
	struct search search = {
		.clients = clients, .count = count, .order = make_order(clients, count),
		.layout = layout, .steps = MAX_STEPS + (int)count,
	};
	bool done;

	forget_choices(clients, count);
	done = search.order && search_from(&search, 0);
	free(search.order);
	return done;
}

/**
 * assign_what_fits() - choose as many as there is room for
 * @clients:	the adapters; their choices are set
 * @count:	how many
 *
 * Return: how many with candidates got none.
 */
size_t assign_what_fits(struct client *clients, size_t count)
{
	const struct search search = {
		.clients = clients, .count = count, .layout = LAYOUT_ANY,
	};
	size_t left = 0;

	forget_choices(clients, count);
	for (size_t i = 0; i < count; i++) {
		bool *tried = calloc(clients[i].count + 1, sizeof(*tried));

		if (tried)
			clients[i].choice = next_choice(&search, i, tried);
		free(tried);
		left += clients[i].count && clients[i].choice < 0;
	}
	return left;
}
