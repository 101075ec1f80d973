{#-
    The end of the path that leads from each row over `parent` links, as (key, root): a row without a parent is its own
    root, and so is one whose parent is not in the relation. On a cycle the smallest key of the cycle is the root, for
    the rows on it and for those that lead into it. `relation` is the name of a CTE or relation.
-#}
{% macro tree_root(relation, key, parent) -%}
    with recursive link as (

        select child.{{ key }} as descendant, child.{{ parent }} as ancestor
        from {{ relation }} as child
        inner join {{ relation }} as above on child.{{ parent }} = above.{{ key }}

    ),

    path as (

        select
            descendant,
            ancestor,
            cast(concat('/', ancestor, '/') as {{ dbt.type_string() }}) as visited
        from link

        union all

        select
            path.descendant,
            link.ancestor,
            cast(concat(path.visited, link.ancestor, '/') as {{ dbt.type_string() }}) as visited
        from path
        inner join link on path.ancestor = link.descendant
        -- A cycle ends where it meets itself.
        where path.visited not like concat('%/', link.ancestor, '/%')

    ),

    cycle as (

        select descendant as member from path where descendant = ancestor

    ),

    root as (

        select path.descendant, min(path.ancestor) as ancestor
        from path
        left join link on path.ancestor = link.descendant
        left join cycle on path.ancestor = cycle.member
        where link.descendant is null or cycle.member is not null
        group by path.descendant

    )

    select
        node.{{ key }} as node_id,
        coalesce(root.ancestor, node.{{ key }}) as root_id
    from {{ relation }} as node
    left join root on node.{{ key }} = root.descendant
{%- endmacro %}
