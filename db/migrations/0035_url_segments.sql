-- No address that is written into a row leads up its own path. What a key leads to is the runner's to refuse.

alter table headgate.providers
    -- squawk-ignore constraint-missing-not-valid
    add constraint base_url_has_no_dot_segments
        check (base_url !~* '(/|\\|%2f|%5c)([.]|%2e){1,2}(/|\\|%2f|%5c|$)');

alter table headgate.operations
    -- squawk-ignore constraint-missing-not-valid
    add constraint path_has_no_dot_segments
        check (path !~* '(/|\\|%2f|%5c)([.]|%2e){1,2}(/|\\|%2f|%5c|$)');
