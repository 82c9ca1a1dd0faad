create or replace function headgate._put_back(
    p_queue text,
    p_msg_id bigint
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select pgmq.set_vt(p_queue, p_msg_id, clock_timestamp());
$func$;
