import React, {useState} from 'react';
import {Image, Platform, ScrollView, StyleSheet, Text, View} from 'react-native';

import people from './roster.json';
import {Counter} from './components/Counter';
import {DutyList} from './components/DutyList';
import {nextOnDuty, type Person} from './rotation';

export default function App(): React.JSX.Element {
  const [turn, setTurn] = useState(0);
  const onDuty: Person = nextOnDuty(people, turn);

  return (
    <View style={styles.page}>
      <ScrollView contentContainerStyle={styles.content}>
        <Image source={require('../assets/wheel.png')} style={styles.wheel} />
        <Text style={styles.title}>On duty: {onDuty.name}</Text>
        <Text style={styles.platform}>Running on {Platform.OS}</Text>
        <DutyList people={people} turn={turn} />
        <Counter label="Next turn" value={turn} onPress={() => setTurn(turn + 1)} />
      </ScrollView>
    </View>
  );
}

const styles = StyleSheet.create({
  page: {flex: 1, paddingTop: 48, backgroundColor: '#fbf7ef'},
  content: {padding: 24, alignItems: 'center'},
  wheel: {width: 64, height: 64, marginBottom: 16},
  title: {fontSize: 24, fontWeight: '600', color: '#22313f'},
  platform: {fontSize: 14, color: '#6b7b8c', marginBottom: 16},
});
