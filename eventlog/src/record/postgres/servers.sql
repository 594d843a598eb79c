-- Format 2 of the record on PostgreSQL: what servers share beside the record itself.

-- What tells this store from every other: what a server keeps in its own folder is of this one.
CREATE TABLE cxengage.store (id text NOT NULL);
INSERT INTO cxengage.store SELECT gen_random_uuid()::text;

-- Pieces of files (augments' tables), sealed.
CREATE TABLE cxengage.pieces (
    tenant text COLLATE "C" NOT NULL,
    file text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    stamp bigint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (tenant, file, number)
);
ALTER TABLE cxengage.pieces ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- Who does what only one server may do at a time: `engine`, `notifier`, …. A holder counts its beats; whoever waits
-- takes over when it has seen the same beat for too long by its own clock, so nobody's clock has to be right.
CREATE TABLE cxengage.terms (
    name text COLLATE "C" PRIMARY KEY,
    holder text NOT NULL,
    beat bigint NOT NULL,
    progress bigint NOT NULL
);

-- Where those keep their place in the record, with what they need to go on from there.
CREATE TABLE cxengage.places (name text COLLATE "C" PRIMARY KEY, position bigint NOT NULL);
CREATE TABLE cxengage.place_rows (
    name text COLLATE "C" NOT NULL,
    key bytea NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (name, key)
);

-- What a server has done by the holder of a term, while it waits for the answer. Unlogged: a crash loses those who wait too.
CREATE UNLOGGED TABLE cxengage.errands (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    term text NOT NULL,
    errand text NOT NULL,
    taken boolean NOT NULL DEFAULT false,
    answer text,
    made timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Takes a term, if it is as it was seen (nobody's, or this holder's at this beat), or held by the taker already. What
-- the term is now.
CREATE FUNCTION cxengage.claim(
    p_name text, p_taker text, p_holder text, p_beat bigint,
    OUT o_holder text, OUT o_beat bigint, OUT o_progress bigint
) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cxengage.terms VALUES (p_name, '', 0, 0) ON CONFLICT DO NOTHING;
    UPDATE cxengage.terms t SET holder = p_taker, beat = t.beat + 1
    WHERE t.name = p_name
      AND (t.holder IN ('', p_taker) OR (t.holder = p_holder AND t.beat = p_beat));
    SELECT t.holder, t.beat, t.progress INTO o_holder, o_beat, o_progress
    FROM cxengage.terms t WHERE t.name = p_name;
END
$$;

-- Takes leases over, as before, but those under a term (`engine/7`: `engine`) only for its holder; NULL for another.
DROP FUNCTION cxengage.take_leases(text[], text);
CREATE FUNCTION cxengage.take_leases(p_leases text[], p_owner text, p_holder text) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
    epochs bigint[];
BEGIN
    PERFORM 1 FROM cxengage.head FOR UPDATE;
    PERFORM 1 FROM unnest(p_leases) t(lease) JOIN cxengage.terms m ON m.name = split_part(t.lease, '/', 1)
    WHERE m.holder <> p_holder;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO cxengage.leases AS l (lease, epoch, owner)
    SELECT DISTINCT t.lease, 1, p_owner FROM unnest(p_leases) t(lease)
    ON CONFLICT (lease) DO UPDATE SET epoch = l.epoch + 1, owner = excluded.owner;
    SELECT array_agg(l.epoch ORDER BY t.n) INTO epochs
    FROM unnest(p_leases) WITH ORDINALITY t(lease, n) JOIN cxengage.leases l ON l.lease = t.lease;
    RETURN epochs;
END
$$;

-- Keeps a place and what changed with it, for the holder of its term; false for another. A value of NULL goes.
CREATE FUNCTION cxengage.keep(
    p_term text, p_holder text, p_name text, p_position bigint, p_keys bytea[], p_values bytea[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM cxengage.terms t WHERE t.name = p_term AND t.holder = p_holder FOR SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO cxengage.places VALUES (p_name, p_position)
    ON CONFLICT (name) DO UPDATE SET position = excluded.position;
    DELETE FROM cxengage.place_rows r USING unnest(p_keys, p_values) c(key, value)
    WHERE r.name = p_name AND r.key = c.key AND c.value IS NULL;
    INSERT INTO cxengage.place_rows
    SELECT p_name, c.key, c.value FROM unnest(p_keys, p_values) c(key, value) WHERE c.value IS NOT NULL
    ON CONFLICT (name, key) DO UPDATE SET value = excluded.value;
    RETURN true;
END
$$;
