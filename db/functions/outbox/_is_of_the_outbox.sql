-- Whether a pipeline sends notices: what it does is not sent anywhere, or a failure would send itself for ever.
create or replace function headgate._is_of_the_outbox(p_pipeline_id bigint)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.pipeline_steps as s
        join headgate.operations as o on o.name = any (s.operations)
        where s.pipeline_id = p_pipeline_id
            and o.universe = any (headgate._outbox())
    );
$func$;
