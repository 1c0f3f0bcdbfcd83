"""The district: deterministic, complete, and recognisably where it claims to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.model.errors import ConfigError
from edge.model.kinds import KINDS
from edge.model.node import Node
from simulators.city import YANGPU, City, Line, distance_m, load_city


@pytest.fixture(scope="module")
def city() -> City:
    return load_city(1)


def test_the_same_seed_is_the_same_city_and_another_seed_is_another(city: City) -> None:
    assert load_city(1) == city
    assert load_city(2).nodes != city.nodes


def test_every_kind_stands_in_the_city(city: City) -> None:
    assert {node.kind for node in city.nodes} | {city.centre.kind} == set(KINDS)


def test_the_water_network_has_eighteen_stations_and_one_centre(city: City) -> None:
    assert [node.id for node in city.of_kind("water_level")] == [f"ys-{n:02}" for n in range(1, 19)]
    assert city.centre.kind == "gateway"


def test_the_district_has_the_numbers_it_should(city: City) -> None:
    numbers = {kind: len(city.of_kind(kind)) for kind in KINDS}
    assert numbers["streetlight"] == 240
    assert numbers["rain_gauge"] == 8
    assert numbers["air_quality"] == 12
    assert numbers["noise"] == 10
    assert numbers["power_meter"] == 20


def test_ids_are_unique_and_nodes_survive_the_http_form(city: City) -> None:
    assert len({node.id for node in city.nodes}) == len(city.nodes)
    for node in (*city.nodes, city.centre):
        assert Node.from_dict(node.to_dict()) == node


def test_every_node_has_a_place_in_yangpu_and_a_name_in_both_languages(city: City) -> None:
    for node in city.nodes:
        assert node.lat is not None and 31.24 < node.lat < 31.35
        assert node.lon is not None and 121.48 < node.lon < 121.58
        assert any("一" <= char <= "鿿" for char in node.label_zh)
        assert node.label_en.isascii()
        assert node.gateway == city.centre.id


def test_lamps_stand_along_their_streets(city: City) -> None:
    streets = {line.key: line for line in city.lines if line.layer == "street"}
    for lamp in city.of_kind("streetlight"):
        assert lamp.lat is not None and lamp.lon is not None
        street = streets[lamp.site]
        nearest = min(distance_m((lamp.lon, lamp.lat), street.at(step / 400)) for step in range(401))
        assert nearest < 15


def test_the_number_of_lamps_can_be_chosen() -> None:
    assert len(load_city(1, lamps=3_000).of_kind("streetlight")) == 3_000


def test_the_map_is_geojson_in_the_layers_that_the_wall_draws(city: City) -> None:
    drawn = city.map()
    features = drawn["features"]["features"]
    assert drawn["features"]["type"] == "FeatureCollection"
    assert {row["properties"]["layer"] for row in features} == {"river", "street", "boundary", "park"}
    for row in features:
        assert set(row["properties"]["name"]) == {"en", "zh"}
        shape = row["geometry"]
        ring = shape["coordinates"][0] if shape["type"] == "Polygon" else shape["coordinates"]
        assert len(ring) >= 3
        assert all(121.4 < lon < 121.6 and 31.2 < lat < 31.4 for lon, lat in ring)
        assert shape["type"] != "Polygon" or ring[0] == ring[-1]
    assert drawn["center"] == [31.2935, 121.5265]


def test_a_point_on_a_line_lies_at_its_share_of_the_length() -> None:
    line = Line(
        layer="street", key="x", zh="x", en="x", points=((121.5, 31.3), (121.51, 31.3), (121.51, 31.31))
    )
    assert line.at(0) == (121.5, 31.3)
    assert line.at(1) == (121.51, 31.31)
    lon, lat = line.at(0.5)
    assert distance_m(line.points[0], (lon, lat)) < line.length_m / 2 + 1


def test_a_broken_city_file_is_one_line_of_advice(tmp_path: Path) -> None:
    broken = tmp_path / "city.toml"
    broken.write_text("name = ", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"city\.toml"):
        load_city(1, path=broken)


def test_a_kind_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    odd = tmp_path / "city.toml"
    odd.write_text(YANGPU.read_text(encoding="utf-8").replace("noise = [", "whispers = ["), encoding="utf-8")
    with pytest.raises(ConfigError, match="whispers"):
        load_city(1, path=odd)
