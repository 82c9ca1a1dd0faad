-- The content of the queues, in chunks. Planned chunks are in no queue yet.

drop view if exists headgate.v_queue_depth cascade;

create view headgate.v_queue_depth as
select
    c.queue,
    count(*) filter (where c.state = 'queued') as ready,
    count(*) filter (where c.state = 'leased') as leased,
    count(*) filter (where c.state = 'parked') as parked,
    min(c.planned_at) as oldest_at
from headgate.chunks as c
where c.state <> 'planned'
group by c.queue
order by c.queue;

comment on view headgate.v_queue_depth is 'Chunks in each queue; an empty queue has no row.';
comment on column headgate.v_queue_depth.queue is 'The queue: provider and priority class.';
comment on column headgate.v_queue_depth.ready is 'Chunks that may be claimed now.';
comment on column headgate.v_queue_depth.leased is 'Chunks that a runner holds.';
comment on column headgate.v_queue_depth.parked is 'Chunks that wait for a retry, or for their provider.';
comment on column headgate.v_queue_depth.oldest_at is 'When the oldest of them was planned.';
