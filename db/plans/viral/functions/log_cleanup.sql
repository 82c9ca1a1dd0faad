-- Logs and history of more than 30 days are deleted; KPIs, variants and the archive stay.

create or replace function viral.log_cleanup(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_before constant timestamptz := headgate.clock() - interval '30 days';
    v_log record;
    v_count bigint;
    v_deleted jsonb := '{}';
begin
    for v_log in
        select *
        from (values
            ('health_answers', 'answered_at'), ('health_checks', 'checked_at'), ('posts', 'posted_at'),
            ('refused_posts', 'refused_at'), ('pattern_scores', 'scored_at'), ('outcomes', 'found_at'),
            ('decisions', 'decided_at'), ('reports', 'written_at')
        ) as l (name, at)
    loop
        execute format('delete from viral.%I where %I < $1', v_log.name, v_log.at) using v_before;
        get diagnostics v_count = row_count;
        v_deleted := v_deleted || jsonb_build_object(v_log.name, v_count);
    end loop;
    delete from viral.content_patterns as c
    where not exists (select from viral.posts as p where md5(p.content) = c.content_hash);
    get diagnostics v_count = row_count;
    return v_deleted || jsonb_build_object('content_patterns', v_count);
end;
$func$;

comment on function viral.log_cleanup(text, text) is
    'Delete what is older than 30 days of the plan''s logs; returns how many rows of each.';
