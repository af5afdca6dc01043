import {useState} from 'react';
import {Image, StyleSheet, Text, View} from 'react-native';

import {latest, type Note} from './src/notes';

export default function App() {
  const [count, setCount] = useState(0);
  const note: Note = latest(count);
  return (
    <View style={styles.page}>
      <Image source={require('./assets/wheel.png')} style={styles.wheel} />
      <Text onPress={() => setCount(count + 1)}>{note.text}</Text>
    </View>
  );
}

const styles = StyleSheet.create({
  page: {flex: 1, padding: 24, justifyContent: 'center'},
  wheel: {width: 64, height: 64},
});
