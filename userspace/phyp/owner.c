// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The ownership record: the one fact that decides which system runs a
 * partition.  See Documentation/handover.rst.
 */
#include <syslog.h>
#include "phyp/internal.h"

static int read_verdict(struct phyp *phyp, uint64_t stream_id)
{
	enum phyp_verdict verdict = PHYP_VERDICT_NONE;
	int ret;

	ret = phyp->ops->record_read(phyp->ctx, stream_id, &verdict);
	if (ret)
		return ret;
	return verdict;
}

/**
 * phyp_owner_commit - make a verdict hold, or learn which one holds
 * @phyp:	platform of the target
 * @stream_id:	stream
 * @wanted:	PHYP_VERDICT_RESUMED or PHYP_VERDICT_NEVER
 *
 * Whoever comes first decides: the record is written exclusively and synced
 * before this returns.
 *
 * Return: the verdict that holds (it may be the other one), or a negative
 * errno, and then nobody may act on any verdict.
 */
int phyp_owner_commit(struct phyp *phyp, uint64_t stream_id,
		      enum phyp_verdict wanted)
{
	int verdict = read_verdict(phyp, stream_id);
	int ret;

	if (verdict != PHYP_VERDICT_NONE)
		goto out;

	ret = phyp->ops->record_write(phyp->ctx, stream_id, wanted);
	if (!ret)
		return wanted;
	verdict = ret == -EEXIST ? read_verdict(phyp, stream_id) : ret;
	if (verdict == PHYP_VERDICT_NONE)
		verdict = -EIO;
out:
	if (verdict < 0)
		phyp_log(phyp, LOG_ERR,
			 "stream %016llx: ownership record: error %d, nothing is decided",
			 (unsigned long long)stream_id, -verdict);
	return verdict;
}

/**
 * phyp_verdict - recovery's question to the target
 * @phyp:	platform of the target
 * @id:		stream
 * @verdict:	the answer: RESUMED or NEVER
 *
 * Writes NEVER if there is no record, and then aborts the stream.  A stream whose
 * record says RESUMED although it could not act on it yet does so now.
 *
 * Return: 0; -EINVAL when this platform is the stream's source, whose word does
 * not count; or the error that kept the record from being read or written.
 */
int phyp_verdict(struct phyp *phyp, uint64_t id, enum phyp_verdict *verdict)
{
	struct phyp_stream *stream = phyp_stream_find(phyp, id);
	int ret;

	if (!id || (stream && stream->params.role != PHYP_TARGET))
		return -EINVAL;

	ret = phyp_owner_commit(phyp, id, PHYP_VERDICT_NEVER);
	if (ret < 0)
		return ret;
	*verdict = ret;
	if (!stream || phyp_stream_final(stream))
		return 0;
	if (ret == PHYP_VERDICT_NEVER)
		phyp_stream_abort(stream, VASI_ABORT_ORCHESTRATOR, 0);
	else
		phyp_target_work(stream);
	return 0;
}
