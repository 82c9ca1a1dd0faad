-- The messages of an operation's slot, each with its place in the server's log before it (8 bytes), in the order of
-- commits. p_position ends them: a transaction whose commit begins there or later belongs to the next job, although the
-- last message may be of one. Nor does it go on after p_most messages; a transaction is whole, however long. Nothing is
-- consumed: headgate.prepare_changes moves the slot.

create or replace function headgate.read_slot(
    p_operation text,
    p_position pg_lsn,
    p_most integer
)
returns setof bytea
language sql
volatile
strict
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select int8send((s.lsn - '0/0')::bigint) || s.data
    from pg_logical_slot_peek_binary_changes(
        headgate._slot_name(p_operation), p_position, p_most, 'proto_version', '1',
        'publication_names', quote_ident('headgate_' || p_operation)
    ) as s;
$func$;

comment on function headgate.read_slot(text, pg_lsn, integer) is
    'The messages of an operation''s slot up to a position, not many more than p_most, as the plugin pgoutput writes '
    'them.';
