-- A number that another change has taken: its file replaces this one.
select 1;
