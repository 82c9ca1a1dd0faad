-- The first message of a queue, found by its chunk's index entry; no row: nothing waits there. Inlined (no pinned
-- path), and limited within, so that no plan reads all that waits.

create or replace function headgate._first_message(p_queue text)
returns setof bigint
language sql
stable
as $func$
    select c.msg_id
    from headgate.chunks as c
    where c.queue = p_queue
        and c.msg_id is not null
    order by c.msg_id
    limit 1;
$func$;
