-- Format 3 of the record on PostgreSQL: what several servers do at a time, each for some of the partitions.

-- Who is there to take shares of a work, and for which of them each could take over at once. Each counts its beats.
CREATE TABLE cxengage.workers (
    work text COLLATE "C" NOT NULL,
    server text COLLATE "C" NOT NULL,
    beat bigint NOT NULL,
    warm bigint[] NOT NULL,
    PRIMARY KEY (work, server)
);

-- Says that a server is there; who else is, and who holds the terms of the work's shares (`engine:3`), for which `holds`
-- stands in the place of `warm`.
CREATE FUNCTION cxengage.roll_call(p_work text, p_server text, p_warm bigint[])
RETURNS TABLE (server text, beat bigint, warm bigint[], holds bigint[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO cxengage.workers AS w VALUES (p_work, p_server, 1, p_warm)
    ON CONFLICT (work, server) DO UPDATE SET beat = w.beat + 1, warm = excluded.warm;
    RETURN QUERY
    SELECT w.server, w.beat, w.warm, array(
        SELECT split_part(t.name, ':', 2)::bigint FROM cxengage.terms t
        WHERE t.holder = w.server AND t.name LIKE p_work || ':%'
    )
    FROM cxengage.workers w WHERE w.work = p_work ORDER BY w.server;
END
$$;

-- Matching is held by shares from here on: who held all of it is to find out.
DELETE FROM cxengage.terms WHERE name = 'engine';
UPDATE cxengage.leases SET epoch = epoch + 1 WHERE lease LIKE 'engine/%';
